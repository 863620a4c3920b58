package afunix

import (
	"context"
	"io/fs"
	"net"
	"runtime"
	"syscall"
	"time"

	"afunix/internal/sockfile"
	"afunix/internal/transport"
)

// A ListenConfig has options for listening. The zero value is what [Listen] and [ListenPacket] use.
type ListenConfig struct {
	Transport Transport // 0 means the default of this system
	// Authorize, if not nil, may refuse the peer of a connection. Then no byte of user data is read
	// or sent, and the connection is never accepted. Several goroutines may call Authorize at once.
	// A client about whom Authorize takes long holds up no other client: up to 256 clients at a
	// time, and over the kernel transport no more than the Backlog has room for. So clients are
	// accepted in the order in which Authorize lets them in. Of a plain client at the name of a
	// pipe the system may know no more than the number of its process (docs/SECURITY.md); one of
	// which it says nothing is refused without asking. Close does not wait for Authorize, and turns
	// away the clients about whom it has not returned. A datagram socket has no such peer:
	// ListenPacket fails if Authorize is set.
	Authorize func(peer Credentials) error
	// Backlog is that of listen(2); 0 means the system's maximum. At \\.\pipe\NAME on Windows it
	// holds for plain clients and for others, each by themselves. A plain client for whom there is
	// no room finds the pipe busy.
	Backlog int
	// Mode is the permission of the socket file, from the start (but see below); 0 means that the
	// process's umask decides. On macOS and the BSDs a datagram socket has the umask's permission
	// for a moment.
	//
	// On Windows 0 means the current user and SYSTEM only, and Mode says who else may connect: with
	// 0020 the Group, with 0002 every user of this machine. (The bits by which others may connect
	// are those for writing, on every system.) What Mode says of the owner holds for the owner,
	// also as a member of the Group, and so on, as on Unix. EINVAL: the owner is not let in, or a
	// group is and Group does not say which.
	//
	// An abstract name keeps nobody out on Linux, and everybody but the current user and SYSTEM on
	// Windows. A Mode that says otherwise is EINVAL: only Authorize can refuse others on Linux.
	Mode fs.FileMode
	// Owner and Group are those of the socket file, by name, or by number (on Windows SID); ""
	// leaves them as they are. On Windows the Owner can only be the current user, and a Group means
	// something with a Mode only. EINVAL: there is no such user or group, or the name of the socket
	// is no file's.
	Owner, Group string
	// ReplaceStale takes the place of a socket file that a dead process has left: whoever listens
	// at a path finds no socket file there that nobody has the socket of. Of several processes that
	// do so at once, one listens, and the others get EADDRINUSE. A file stays if anybody has its
	// socket, even one that does not listen, or has no room for clients; and so does a file that is
	// no socket, a symbolic link, or on Windows a file of the system's own AF_UNIX. A program that
	// removes the file by itself before it listens cannot be told from the outside: do not let one
	// run at the same time.
	//
	// While the file is replaced there is another one, with the path and .lock behind it. Listen
	// waits for the process that has that file, up to ten seconds. AIX has no such locks: there the
	// error wraps errors.ErrUnsupported.
	ReplaceStale       bool
	SecurityDescriptor string // Windows: SDDL for pipe and socket file, in place of Mode and Group
}

// Listen listens at the address for connections. The network is "unix" or "unixpacket".
//
// On Windows a "unix" may also be \\.\pipe\NAME (see [ParseAddress] for what users type), to which
// any program may connect. Connections of such programs are plain streams of bytes: their
// [Conn.Transport] is [PlainTransport]. A program that dials the same address by this package
// passes descriptors as ever; it comes by a private pipe beside the public one. EADDRINUSE: there
// is a pipe of that name, if only in connections of a listener that was closed.
//
// A path may be longer than a socket's address on Linux, and over the pipe transport on Windows;
// elsewhere it is EINVAL, and the error says how long it may be.
func Listen(network, address string) (*Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenPacket binds a datagram socket to the address; with "" the system chooses a name, where it
// can. The network is "unixgram". Close does not remove the socket file, as in package net.
func ListenPacket(network, address string) (*Conn, error) {
	return new(ListenConfig).ListenPacket(context.Background(), network, address)
}

// Listen listens at the address for connections.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (*Listener, error) {
	laddr := &net.UnixAddr{Name: address, Net: network}
	op := operation{op: "listen", network: network, addr: laddr, call: "bind"}
	if err := checkAddr(laddr, streamNetwork, packetNetwork); err != nil {
		return nil, op.wrap(err)
	}
	l, err := bind(ctx, lc, address, func() (transport.Listener, error) {
		return lc.Transport.carrier().Listen(ctx, network, address, lc.options())
	})
	if err != nil {
		return nil, op.wrap(err)
	}
	return newListener(l, network), nil
}

// ListenPacket binds a datagram socket to the address.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (*Conn, error) {
	laddr := &net.UnixAddr{Name: address, Net: network}
	op := operation{op: "listen", network: network, addr: laddr, call: "bind"}
	if err := checkAddr(laddr, dgramNetwork); err != nil {
		return nil, op.wrap(err)
	}
	c, err := bind(ctx, lc, address, func() (transport.Conn, error) {
		return lc.Transport.carrier().ListenPacket(ctx, network, address, lc.options())
	})
	if err != nil {
		return nil, op.wrap(err)
	}
	return newConn(c, network), nil
}

// bind makes a socket at the address, over a stale socket file if it may.
func bind[S any](ctx context.Context, lc *ListenConfig, address string, listen func() (S, error)) (S, error) {
	if !lc.ReplaceStale {
		return listen()
	}
	return sockfile.OverStale(ctx, address, listen)
}

func (lc *ListenConfig) options() transport.Options {
	return transport.Options{
		Backlog:            lc.Backlog,
		Mode:               lc.Mode,
		Owner:              lc.Owner,
		Group:              lc.Group,
		SecurityDescriptor: lc.SecurityDescriptor,
		Authorize:          authorizer(lc.Authorize),
	}
}

// A Listener is a socket that listens. It is a [net.Listener] and a [syscall.Conn]. A Listener that
// is dropped without Close is closed by the garbage collector, sooner or later. Its socket file
// then stays, as in package net.
type Listener struct {
	t       transport.Listener
	network string
	dropped runtime.Cleanup
}

var (
	_ net.Listener = (*Listener)(nil)
	_ Sendable     = (*Listener)(nil)
)

func newListener(t transport.Listener, network string) *Listener {
	l := &Listener{t: t, network: network}
	l.closeWhenDropped()
	return l
}

// Accept waits for the next connection and returns it, a *[Conn].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn waits for the next connection. As accept(2), it fails with EMFILE, ENFILE or ENOMEM
// when there is no room for a connection. That does not end the listener: the next call may
// succeed.
func (l *Listener) AcceptConn() (*Conn, error) {
	t, err := l.t.Accept()
	if err != nil {
		return nil, l.operation("accept", "accept").wrap(err)
	}
	return newConn(t, l.network), nil
}

// Close stops listening. Calls of Accept that wait return [net.ErrClosed]. The socket file is
// removed if Listen made it, and nobody has put another file in its place. As in package net the
// file goes first: a program that learns by any call that the listener is closed, if only by
// another Close, does not find the file any more.
//
// Windows does not remove a file that another program has open without FILE_SHARE_DELETE, as
// os.Open has. Close tries for half a second, in which clients are let in as before. Then the file
// stays, and says that nobody listens there any more: Dial fails with ECONNREFUSED, and the next
// Listen takes the file over. If the other program does not even let others write to the file,
// Close fails with EBUSY. The file then has to be removed, like one that is left after a crash.
func (l *Listener) Close() error {
	l.dropped.Stop()
	return l.operation("close", "close").wrap(l.t.Close())
}

// Addr returns the address, a *[net.UnixAddr].
func (l *Listener) Addr() net.Addr { return netAddr(l.t.Addr()) }

// SetDeadline sets when Accept gives up with [os.ErrDeadlineExceeded]; a zero time is never.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.operation("set", "").wrap(l.t.SetDeadline(t))
}

// SetUnlinkOnClose sets whether Close removes the socket file. By default Close does if Listen made
// the file. A file that is not the listener's is never removed, whatever the path leads to.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.t.SetUnlinkOnClose(unlink) }

// Transport tells which transport carries the connections. A listener at \\.\pipe\NAME, whose
// transport is PipeTransport, has plain clients, too: see [Conn.Transport].
func (l *Listener) Transport() Transport { return Transport(l.t.Transport()) }

// SyscallConn gives access to the descriptor.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	raw, err := l.t.SyscallConn()
	return rawOf(l, l.Transport(), raw, err)
}

func (l *Listener) operation(op, call string) operation {
	return operation{op: op, network: l.network, addr: l.t.Addr(), call: call}
}
