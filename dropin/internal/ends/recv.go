//go:build linux || windows

package ends

import (
	"errors"
	"io"
	"net"
	"syscall"

	"afunix"
	"afunix/dropin/internal/control"
)

// A Received says what Recv put into its buffers.
type Received struct {
	N     int           // bytes of data
	OOBN  int           // bytes of ancillary data
	Flags int           // MSG_TRUNC, MSG_CTRUNC
	From  *net.UnixAddr // datagrams: the sender's name, nil if it has none
}

// Recv is recvmsg(2): it receives one message into p and oob. The end of a stream is io.EOF.
// Descriptors for which oob, or this process, has no room are closed, and MSG_CTRUNC says so. With
// oob and without room for data a byte is taken from a stream or a record and counted, though
// nobody gets it: that is what Go's Recvmsg does (row 183). Flags that would change the result are
// MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC, MSG_CMSG_CLOEXEC, and MSG_OOB, which is
// EOPNOTSUPP.
func (r *Ref) Recv(p, oob []byte, flags int) (Received, error) {
	return r.recv(p, oob, flags, unlimited)
}

// recv is Recv, which waits no longer than l.
func (r *Ref) recv(p, oob []byte, flags int, l limit) (Received, error) {
	switch {
	case r.Conn == nil:
		return Received{}, syscall.EINVAL
	case flags&MsgOob != 0:
		return Received{}, syscall.EOPNOTSUPP
	}
	if len(p) == 0 && len(oob) > 0 && r.Network() != "unixgram" {
		p = make([]byte, 1)
	}
	var m afunix.Message
	defer func() { m.Rights.Close() }() // whatever nobody takes; there may be some beside an error
	m, err := r.message(p, flags, l.unless(flags))
	got := Received{N: len(m.Data), Flags: flags & MsgCmsgCloexec}
	if m.Truncated {
		got.Flags |= MsgTrunc
	}
	if errors.Is(err, afunix.ErrRightsTruncated) {
		got.Flags |= MsgCtrunc
	} else if err != nil {
		return got, err
	}
	got.From = r.sender(m.From)
	got.ancillary(oob, &m)
	return got, nil
}

// message receives a message in the way that flags say. With MSG_TRUNC its Data may be longer than
// p.
func (r *Ref) message(p []byte, flags int, l limit) (m afunix.Message, err error) {
	stream := r.Network() == "unix"
	read := r.Conn.ReadMsg
	if flags&MsgPeek != 0 {
		read = r.Conn.PeekMsg
	}
	op := func() (err error) {
		m, err = read(p)
		return err
	}
	switch {
	case stream && flags&(MsgWaitall|MsgPeek) == MsgWaitall:
		op = func() error { return r.fill(p, &m) }
	case !stream && flags&MsgTrunc != 0:
		op = func() (err error) {
			m, err = r.whole(p, read)
			return err
		}
	}
	err = r.within(l, op)
	if len(m.Data) > 0 && !errors.Is(err, afunix.ErrRightsTruncated) {
		err = nil // what has been received counts, whatever kept the rest of it away (row 139)
	}
	return m, err
}

// fill reads until p is full. It stops behind descriptors. It also stops where the sender changes,
// if the caller asks for credentials (rows 32, 71). What fill has read is in m, also if it is
// interrupted, and then called again.
func (r *Ref) fill(p []byte, m *afunix.Message) error {
	for {
		if m.Credentials != nil {
			next, err := r.Conn.PeekMsg(p[len(m.Data):])
			next.Rights.Close()
			if err == nil && (next.Credentials == nil || *next.Credentials != *m.Credentials) {
				return nil
			}
		}
		more, err := r.Conn.ReadMsg(p[len(m.Data):])
		m.Data = p[:len(m.Data)+len(more.Data)]
		m.Rights = more.Rights
		if m.Credentials == nil {
			m.Credentials = more.Credentials
		}
		if err != nil || len(m.Data) == len(p) || m.Rights.Len() > 0 {
			return err
		}
	}
}

// whole receives a record or a datagram of which p gets the beginning, and nobody the rest, but
// whose length is known.
func (r *Ref) whole(p []byte, read func([]byte) (afunix.Message, error)) (afunix.Message, error) {
	long := make([]byte, len(p))
	for {
		m, err := r.Conn.PeekMsg(long)
		m.Rights.Close()
		if err != nil && !errors.Is(err, afunix.ErrRightsTruncated) {
			return m, err
		}
		if !m.Truncated {
			break
		}
		long = make([]byte, 2*len(long)+1<<10)
	}
	m, err := read(long)
	if copy(p, m.Data) < len(m.Data) {
		m.Truncated = true
	}
	return m, err
}

// sender returns the name of the sender of a message. On a connection the sender is the other end,
// if that has a name.
func (r *Ref) sender(from *net.UnixAddr) *net.UnixAddr {
	if remote, ok := r.Conn.RemoteAddr().(*net.UnixAddr); ok && r.Network() != "unixgram" && remote.Name != "@" {
		return remote
	}
	return from
}

// ancillary writes what came with m into oob: credentials first (row 22), then the descriptors
// that there is room for. That there was anything is MSG_CTRUNC if there is no room at all (case
// 19).
func (got *Received) ancillary(oob []byte, m *afunix.Message) {
	if m.Credentials != nil {
		n, whole := control.PutCredentials(oob, ucred(*m.Credentials))
		if !whole {
			got.Flags |= MsgCtrunc
		}
		got.OOBN = n
	}
	if m.Rights.Len() == 0 {
		return
	}
	room := oob[got.OOBN:]
	fds := install(m.Rights, control.RightsRoom(len(room)), got.Flags&MsgCmsgCloexec == 0)
	if len(fds) < m.Rights.Len() {
		got.Flags |= MsgCtrunc
	}
	if len(fds) > 0 {
		got.OOBN += control.PutRights(room, fds)
	}
}

// Credentials are what a struct ucred has to say: -1 is what it has for "none".
func ucred(c afunix.Credentials) control.Ucred {
	return control.Ucred{Pid: int32(c.PID), Uid: uint32(c.UID), Gid: uint32(c.GID)}
}

// install takes up to n of the descriptors, as numbers which the caller closes and, if it says so,
// child processes inherit (row 3). As in the kernel it stops where this process has no room for
// more (row 42).
func install(rights afunix.Rights, n int, inherit bool) []int {
	var fds []int
	for i := range min(n, rights.Len()) {
		fd, err := installOne(rights, i, inherit)
		if err != nil {
			break
		}
		fds = append(fds, fd)
	}
	return fds
}

// installOne takes descriptor i. One that is not a descriptor is an end of the pipe transport.
func installOne(rights afunix.Rights, i int, inherit bool) (int, error) {
	if d, err := rights.Descriptor(i); err == nil {
		prepare(d, inherit)
		return int(d), nil
	}
	var first *Ref
	switch rights.Kind(i) {
	case afunix.KindUnixListener:
		l, err := rights.Listener(i)
		if err != nil {
			return -1, err
		}
		first = NewListener(l.(*afunix.Listener))
		first.settings(func(s *settings) { s.received = true })
	default:
		c, err := rights.Conn(i)
		if err != nil {
			return -1, err
		}
		first = NewConn(c.(*afunix.Conn))
	}
	fd, err := first.NewFD()
	// The number is a reference of its own. If there is no number, an error would tell nobody.
	_ = first.Close()
	return fd, err
}

// Read is read(2): the end of a stream is 0 bytes.
func (r *Ref) Read(p []byte) (n int, err error) {
	if r.Conn == nil {
		return 0, syscall.EINVAL
	}
	err = r.Do(func() (err error) {
		n, err = r.Conn.Read(p)
		return err
	})
	return n, err
}

// AwaitReadable waits until a read would not wait.
func (r *Ref) AwaitReadable() error {
	if r.Conn == nil {
		return syscall.EINVAL
	}
	err := r.Do(func() error {
		m, err := r.Conn.PeekMsg(make([]byte, 1))
		m.Rights.Close()
		return err
	})
	if err == io.EOF || errors.Is(err, afunix.ErrRightsTruncated) {
		return nil
	}
	return err
}

// Network is that of package net.
func (r *Ref) Network() string {
	if r.Listener != nil {
		return r.Listener.Addr().Network()
	}
	return r.Conn.LocalAddr().Network()
}
