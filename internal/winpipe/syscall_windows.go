package winpipe

// Calls that package windows lacks; mksyscall.go makes zsyscall_windows.go of them.

//sys	impersonateNamedPipeClient(pipe windows.Handle) (err error) = advapi32.ImpersonateNamedPipeClient
//sys	waitNamedPipe(name *uint16, milliseconds uint32) (err error) = kernel32.WaitNamedPipeW
//sys	peekNamedPipe(pipe windows.Handle, buf *byte, size uint32, read *uint32, available *uint32, left *uint32) (err error) = kernel32.PeekNamedPipe
//sys	ntQueryVolumeInformationFile(file windows.Handle, status *windows.IO_STATUS_BLOCK, info unsafe.Pointer, size uint32, class uint32) (ntstatus error) = ntdll.NtQueryVolumeInformationFile
