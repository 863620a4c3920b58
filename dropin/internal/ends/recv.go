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

// Recv is recvmsg(2): it receives one message into p and oob. The end of a stream is io.EOF. Descriptors for which oob, or this process,
// has no room are closed, and MSG_CTRUNC says so. With oob and without room for data a byte is taken from a stream or a record and
// counted, though nobody gets it: that is what Go's Recvmsg does (case 183). Flags may have MSG_PEEK and MSG_DONTWAIT.
func (r *Ref) Recv(p, oob []byte, flags int) (Received, error) {
	if r.Conn == nil {
		return Received{}, syscall.EINVAL
	}
	if len(p) == 0 && len(oob) > 0 && r.Network() != "unixgram" {
		p = make([]byte, 1)
	}
	read := r.Conn.ReadMsg
	if flags&MsgPeek != 0 {
		read = r.Conn.PeekMsg
	}
	var m afunix.Message
	op := func() (err error) {
		m, err = read(p)
		return err
	}
	var err error
	if flags&MsgDontwait != 0 {
		err = r.DoNow(op)
	} else {
		err = r.Do(op)
	}
	defer m.Rights.Close()
	got := Received{N: len(m.Data), Flags: flags & MsgCmsgCloexec, From: m.From}
	if m.Truncated {
		got.Flags |= MsgTrunc
	}
	if errors.Is(err, afunix.ErrRightsTruncated) {
		got.Flags |= MsgCtrunc
	} else if err != nil {
		return got, err
	}
	got.ancillary(oob, &m)
	return got, nil
}

// ancillary writes what came with m into oob: credentials first (case 22), then the descriptors that there is room for. That there was
// anything is MSG_CTRUNC if there is no room at all (case 19).
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
	fds := install(m.Rights, control.RightsRoom(len(room)))
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

// install takes up to n of the descriptors, as numbers which the caller closes. As in the kernel it stops where this process has no room
// for more (case 42).
func install(rights afunix.Rights, n int) []int {
	var fds []int
	for i := range min(n, rights.Len()) {
		fd, err := installOne(rights, i)
		if err != nil {
			break
		}
		fds = append(fds, fd)
	}
	return fds
}

// installOne takes descriptor i. One that is not a descriptor is an end of the pipe transport.
func installOne(rights afunix.Rights, i int) (int, error) {
	if d, err := rights.Descriptor(i); err == nil {
		keepOffPoller(d)
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
	default:
		c, err := rights.Conn(i)
		if err != nil {
			return -1, err
		}
		first = NewConn(c.(*afunix.Conn))
	}
	fd, err := first.NewFD()
	_ = first.Close() // the number is a reference of its own; without one, nobody is left whom an error would tell anything
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
