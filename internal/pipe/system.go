package pipe

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"afunix/internal/sock"
)

// A System makes the pipes of an operating system, and finds them by name. A name is a path, or an
// abstract one ("@name"): what is none, and what is too long, is EINVAL (package longpath says how
// long). Each type of socket has abstract names of its own.
type System interface {
	// Listen binds name for sockets of type t, and listens. Errors are those of bind(2). The socket
	// file is removed by Close, unless that is told otherwise.
	Listen(name string, t sock.Type, o Options) (Source, error)

	// Dial opens a pipe to the socket of type t called name. If local is not "", this end has that
	// name, as by Bind, until it is closed; an error of that is an *os.SyscallError. Other errors
	// are those of connect(2), that of ctx, and ErrNativeSocket. On Linux Dial never waits.
	Dial(ctx context.Context, name, local string, t sock.Type) (Pipe, error)

	// Bind gives name to a socket that does not listen, until the returned Closer is closed. A
	// client that dials the name gets ECONNREFUSED. Errors are those of bind(2). A socket file
	// stays.
	Bind(name string, t sock.Type) (io.Closer, error)

	// Find returns what name leads to now. Errors are those of connect(2), and ErrNativeSocket.
	Find(name string, t sock.Type) (Place, error)

	// Pair returns both ends of a new pipe of this process: a is the server's.
	Pair() (a, b Pipe, err error)

	Opener
}

// ErrNativeSocket: a path leads to a socket of Windows' own AF_UNIX, to which the system's own
// connect leads.
var ErrNativeSocket = errors.New("a socket of the system's own AF_UNIX")

// Options are those of [System.Listen]. What a system cannot do of them is an error.
type Options struct {
	Backlog            int         // Windows: how many clients are to wait at once; 0 or less is the maximum
	Mode               fs.FileMode // the permission of the socket file from the start; 0 leaves it to the umask, and on Windows is 0600
	Owner, Group       string      // of the socket file, by name or number (SID); "" is whose the process is
	SecurityDescriptor string      // Windows: SDDL for pipe and socket file, in place of the above
}

// An Opener makes pipes and sources of descriptors that another process has handed on (P8). It owns
// the descriptors that it is given, also if it fails. EPROTO: the descriptors are not what they
// should be. It never waits, whatever the descriptors are.
type Opener interface {
	// OpenPipe makes a pipe of one end. The end belongs to the side that created the pipe (the
	// server), or to the side that opened it.
	OpenPipe(v uintptr, server bool) (Pipe, error)
	// OpenSource makes a source of what Source.Suspend returned.
	OpenSource(descriptors []uintptr, state []byte) (Source, error)
}

// A Network is the names of datagram sockets, and what they lead to.
type Network interface {
	// Find returns what name leads to now. Errors are those of connect(2).
	Find(name string) (Place, error)
	// Dial opens a pipe to the socket called name. Errors are those of connect(2), and that of ctx.
	Dial(ctx context.Context, name string) (Pipe, error)
	// Listen binds name, or a name of its own choice if name is "", and returns the name that it
	// bound.
	Listen(name string) (Source, string, error)
}

// IsAbstract reports whether name is an abstract one.
func IsAbstract(name string) bool { return name != "" && name[0] == '@' }

// A Place is where a name leads. Two Places of a name are equal as long as the name leads to the
// same socket. (They may differ although it does.)
type Place [4]uint64
