package afunix

import (
	"afunix/internal/transport"
	"afunix/internal/transports"
)

// A Transport is what carries messages and descriptors.
type Transport int

// The transports.
const (
	// DefaultTransport is the kernel's where that passes descriptors, else the pipe transport.
	DefaultTransport = Transport(transport.Default)
	// KernelTransport is the system's own AF_UNIX. On Windows that has streams only, and passes no
	// descriptors; Dial finds such sockets by itself.
	KernelTransport = Transport(transport.Kernel)
	// PipeTransport is our packets over a message pipe: on Windows and Linux.
	PipeTransport = Transport(transport.Pipe)
	// PlainTransport is a stream of bytes to a program that is not afunix: to the server of a named
	// pipe, or of a socket file of GnuPG or Cygwin; or to a plain client of a [Listener] whose
	// address is the name of a pipe. It passes no descriptors. On Windows; Dial finds such servers,
	// and Accept such clients, by itself.
	PlainTransport = Transport(transport.Plain)
)

// String returns the transport's name.
func (t Transport) String() string {
	switch t {
	case DefaultTransport:
		return "default"
	case KernelTransport:
		return "kernel"
	case PipeTransport:
		return "pipe"
	case PlainTransport:
		return "plain"
	}
	return "unknown transport"
}

// carrier returns what carries messages by t. If t is no transport, it returns a transport that can
// do nothing.
func (t Transport) carrier() transport.Transport { return transports.Get(transport.ID(t)) }
