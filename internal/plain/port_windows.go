package plain

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"afunix/internal/kernel"
	"afunix/internal/lookalike"
	"afunix/internal/transport"
)

// handshakeTimeout bounds how long Dial waits for the answer of a server of Cygwin, which answers
// when it accepts. Dial's context may bound it further.
const handshakeTimeout = time.Minute

// dialPort connects to a port of this machine, and shows the server that the file's secret is
// known.
func dialPort(ctx context.Context, r Rendezvous, remote *net.UnixAddr, authorize transport.Authorize) (transport.Conn, error) {
	var d net.Dialer
	n, err := d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(r.Port))))
	if err != nil {
		return nil, refused(err, r)
	}
	tcp := n.(*net.TCPConn)
	peer, unknown := serverOf(tcp)
	if err = allowed(authorize, peer, unknown); err == nil {
		err = greet(ctx, tcp, r)
	}
	var c *kernel.Conn
	if err == nil {
		c, err = kernel.Proxied(tcp, remote, peer, unknown)
	}
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return &portConn{Conn: c, r: r}, nil
}

// refused says of a port that is closed what it should have been.
func refused(err error, r Rendezvous) error {
	err = kernel.Plain(err)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &lookalike.Error{Errno: syscall.ECONNREFUSED,
			What: "the socket file names port " + strconv.Itoa(int(r.Port)) + " of this machine, where nobody listens any more"}
	}
	return err
}

// greet does what comes first in a connection.
func greet(ctx context.Context, c *net.TCPConn, r Rendezvous) error {
	limit := time.Now().Add(handshakeTimeout)
	if t, ok := ctx.Deadline(); ok && t.Before(limit) {
		limit = t
	}
	c.SetDeadline(limit) // fails only as the next call does
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	err := shake(c, r)
	if !stop() || errors.Is(err, os.ErrDeadlineExceeded) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return syscall.ETIMEDOUT
	case err == io.EOF, err == io.ErrUnexpectedEOF, errors.Is(kernel.Plain(err), syscall.ECONNRESET):
		return &lookalike.Error{Errno: syscall.ECONNREFUSED, What: "the server does not take the secret in the socket file"}
	case err != nil:
		return kernel.Plain(err)
	}
	return kernel.Plain(c.SetDeadline(time.Time{}))
}

// shake shows the server the secret. A server of Cygwin shows it, too. Then each side says who it
// is; nobody can know whether that is true, and here it is not looked at.
func shake(c io.ReadWriter, r Rendezvous) error {
	if _, err := c.Write(r.Secret[:]); err != nil || !r.Cygwin {
		return err
	}
	var answer [16]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return err
	}
	if answer != r.Secret {
		return errNotTheServer
	}
	id := r.identity()
	if _, err := c.Write(id); err != nil {
		return err
	}
	_, err := io.ReadFull(c, answer[:len(id)])
	return err
}

// errNotTheServer is the error for a server that does not know the secret.
var errNotTheServer = &lookalike.Error{Errno: syscall.ECONNREFUSED, What: "the server does not know the secret in the socket file"}

// A portConn is a connection to a port that a socket file has named: a [transport.Conn].
type portConn struct {
	*kernel.Conn
	r     Rendezvous
	heard atomic.Bool // something has come, or this end has said that it ends
}

var _ transport.Conn = (*portConn)(nil)

// Read reads as net.Conn says. A server of GnuPG does not say that it does not take the secret: it
// hangs up.
func (c *portConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(true)
	}
	if c.heard.Load() || c.r.Cygwin || err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		return n, err
	}
	return n, &lookalike.Error{Errno: syscall.ECONNRESET,
		What: "the server hung up without a word, as it does if the secret in the socket file is not its own"}
}

// Recv is Read. There is no peeking.
func (c *portConn) Recv(b []byte, peek bool) (transport.Message, error) {
	if peek {
		return transport.Message{}, errors.ErrUnsupported
	}
	n, err := c.Read(b)
	return transport.Message{N: n}, err
}

// CloseWrite ends this end's half of the stream.
func (c *portConn) CloseWrite() error {
	c.heard.Store(true) // whoever has heard the end may hang up
	return c.Conn.CloseWrite()
}

// Transport is neither of those that pass descriptors.
// Socket is nil: a Read here explains what has gone wrong.
func (c *portConn) Socket() net.Conn { return nil }

func (c *portConn) Transport() transport.ID { return transport.Plain }
