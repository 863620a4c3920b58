package plain

import (
	"errors"
	"net"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/transport"
	"afunix/internal/winpipe"
)

// A pipeConn is a connection by a pipe of bytes or messages, at the side of the server or of the
// client: a [transport.Conn].
type pipeConn struct {
	*winpipe.Stream
	local, remote *net.UnixAddr
	peer          cred.Credentials
	sure          bool  // the system has said who the user is
	peerErr       error // why peer was not known when the connection began
}

var _ transport.Conn = (*pipeConn)(nil)

// Send writes b; files cannot be sent.
func (c *pipeConn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	switch {
	case len(files) > 0:
		return 0, &descriptor.IndexError{Index: 0, Err: descriptor.ErrNotSendable}
	case to != nil:
		return 0, errors.ErrUnsupported
	}
	return c.Write(b)
}

// WriteBuffers writes b in one piece.
func (c *pipeConn) WriteBuffers(b [][]byte) (int64, error) { return transport.Joined(b, c.Write) }

// Recv is Read. There is no peeking.
func (c *pipeConn) Recv(b []byte, peek bool) (transport.Message, error) {
	if peek {
		return transport.Message{}, errors.ErrUnsupported
	}
	n, err := c.Read(b)
	return transport.Message{N: n}, err
}

// PeerCredentials are those of the process that serves the pipe, or that has connected to it. Of a
// client the system may know more once something of it has been read. What the system says then
// goes before what was found first, if that is another user.
func (c *pipeConn) PeerCredentials() (cred.Credentials, error) {
	if c.sure {
		return c.peer, nil
	}
	who, sure, err := c.Peer()
	if err == nil && (c.peerErr != nil || sure && who.SID != c.peer.SID) {
		return who, nil
	}
	return c.peer, c.peerErr
}

// The sizes of a pipe's buffers are those with which its server has made it.

func (c *pipeConn) SetReadBuffer(int) error   { return errors.ErrUnsupported }
func (c *pipeConn) SetWriteBuffer(int) error  { return errors.ErrUnsupported }
func (c *pipeConn) ReadBuffer() (int, error)  { return 0, errors.ErrUnsupported }
func (c *pipeConn) WriteBuffer() (int, error) { return 0, errors.ErrUnsupported }

func (c *pipeConn) SetPassCredentials(bool) error             { return errors.ErrUnsupported }
func (c *pipeConn) PassCredentials() (bool, error)            { return false, nil }
func (c *pipeConn) PendingError() error                       { return nil }
func (c *pipeConn) LocalAddr() *net.UnixAddr                  { return c.local }
func (c *pipeConn) RemoteAddr() *net.UnixAddr                 { return c.remote }
func (c *pipeConn) Packets() (sent, received uint64, ok bool) { return 0, 0, false }
func (c *pipeConn) Socket() net.Conn                          { return nil }
func (c *pipeConn) Transport() transport.ID                   { return transport.Plain }

// HandDown is not possible: the child would find a pipe and not a Conn.
func (c *pipeConn) HandDown(func(uintptr, []byte) error) error { return errors.ErrUnsupported }
