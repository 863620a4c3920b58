package sockfile

// Calls that package windows lacks; mksyscall.go makes zsyscall_windows.go of them.

//sys	waitNamedPipe(name *uint16, milliseconds uint32) (err error) = kernel32.WaitNamedPipeW
