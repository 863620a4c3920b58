// Package kernel is the transport over the system's own AF_UNIX. Bytes, records, descriptors and
// credentials are the kernel's work; package net waits for it, and this package adds what package
// net leaves out: one sendmsg or recvmsg per message without garbage, descriptors that are owned by
// somebody from the start, the peer's credentials, the backlog and the permission of a socket file.
//
// On Windows the system's AF_UNIX is a byte stream and nothing else; what it lacks is an error that
// wraps errors.ErrUnsupported, or descriptor.ErrNotSendable.
//
// Errors are plain: syscall.Errno or an *os.SyscallError around it, io.EOF, net.ErrClosed,
// os.ErrDeadlineExceeded and the sentinels of package descriptor.
package kernel
