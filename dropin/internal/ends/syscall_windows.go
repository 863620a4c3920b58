package ends

// Calls that package windows lacks; mksyscall.go makes zsyscall_windows.go of them.

//sys	peekNamedPipe(pipe windows.Handle, buf *byte, size uint32, read *uint32, available *uint32, left *uint32) (err error) = kernel32.PeekNamedPipe
