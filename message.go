package afunix

import (
	"net"
	"syscall"

	"afunix/internal/descriptor"
)

// MaxRights is the largest number of descriptors in one message: 253, SCM_MAX_FD of Linux.
const MaxRights = descriptor.Max

// A Message is what [Conn.ReadMsg] received.
type Message struct {
	Data        []byte        // the part of the buffer that was filled
	Rights      Rights        // the descriptors that came with it
	Credentials *Credentials  // with SetPassCredentials
	From        *net.UnixAddr // unixgram: the sender, nil if it has no name
	Truncated   bool          // unixgram, unixpacket: the record was longer than the buffer
}

// WriteMsg sends data and files as one message: all of data, and all of the files or none. If n > 0
// the files went, too. On a stream a long message may be received in pieces, and the files come
// with its first byte.
//
// The files are borrowed for the call, and may be closed as soon as WriteMsg returns. But a *[Conn]
// or *[Listener] of the pipe transport is moved: once WriteMsg has succeeded, the value behaves as
// closed in this process. A socket that moves takes along what is in its queue, which is bounded
// (ETOOMANYREFS). The socket file of a listener that moves is removed, unless
// [Listener.SetUnlinkOnClose] says otherwise, and the listener's Authorize stays behind.
//
// Files with empty data on a stream are EINVAL, and so are more files than [MaxRights]. A file that
// is not open is EBADF, in a [RightsError]. If the deadline expires when the message is already on
// its way, WriteMsg returns n == len(data) and [os.ErrDeadlineExceeded]; over the kernel transport,
// on a stream, n is what has been written by then. Any other error beside n > 0 over the pipe
// transport means that the connection broke, and that nobody can know whether the files have
// arrived. It is no error if the receiver dies with the message, read or not, as over the kernel.
func (c *Conn) WriteMsg(data []byte, files ...Sendable) (n int, err error) {
	n, err = c.send(data, nil, files)
	if err != nil {
		err = c.operation("write", "sendmsg").wrap(err)
	}
	return n, err
}

// WriteMsgTo is WriteMsg to the address, from a datagram socket that is not connected. If to is
// nil, WriteMsgTo is WriteMsg.
func (c *Conn) WriteMsgTo(data []byte, to *net.UnixAddr, files ...Sendable) (n int, err error) {
	if err = c.checkDestination(to); err == nil {
		n, err = c.send(data, to, files)
	}
	if err != nil {
		op := c.operation("write", "sendmsg")
		if to != nil {
			op.addr = to
		}
		err = op.wrap(err)
	}
	return n, err
}

// checkDestination refuses what package net refuses, and names that are none.
func (c *Conn) checkDestination(to *net.UnixAddr) error {
	switch {
	case to == nil:
		return nil
	case c.t.RemoteAddr() != nil:
		return net.ErrWriteToConnected
	case to.Net != c.network:
		return syscall.EAFNOSUPPORT
	}
	return checkName(to)
}

func (c *Conn) send(data []byte, to *net.UnixAddr, files []Sendable) (int, error) {
	switch {
	case len(files) == 0:
		return c.t.Send(data, nil, to)
	case len(files) > MaxRights:
		return 0, syscall.EINVAL
	case len(data) == 0 && c.network == streamNetwork:
		return 0, syscall.EINVAL // the kernel would close them and say nothing
	}
	return lend(files, c.t, data, to)
}

// ReadMsg receives one message (on a stream: as much as one recvmsg gives) into buf. The end of the
// stream is [io.EOF]. A zero-length unixpacket record is an empty Message over pipes. Over the
// kernel such a record cannot be told from the end ([io.EOF], as in package net), unless it carries
// descriptors or, with [Conn.SetPassCredentials], credentials. If descriptors came but could not be
// installed, the error is [ErrRightsTruncated], and Data is there.
func (c *Conn) ReadMsg(buf []byte) (Message, error) { return c.receive(buf, false) }

// PeekMsg is ReadMsg, but leaves the message in the queue; the descriptors are fresh duplicates.
// (On macOS and the BSDs PeekMsg shows no descriptors: their kernels cannot.)
func (c *Conn) PeekMsg(buf []byte) (Message, error) { return c.receive(buf, true) }

func (c *Conn) receive(buf []byte, peek bool) (Message, error) {
	m, err := c.t.Recv(buf, peek)
	if err != nil {
		err = c.operation("read", "recvmsg").wrap(err)
	}
	return Message{
		Data:        buf[:m.N],
		Rights:      Rights{m.Rights},
		Credentials: (*Credentials)(m.Credentials),
		From:        m.From,
		Truncated:   m.Truncated,
	}, err
}
