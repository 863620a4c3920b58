//go:build linux || windows

package ends

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"afunix"
	"afunix/dropin/internal/control"
)

// Send is sendmsg(2): it sends p with what oob says, to the socket named to if that is not nil.
// Descriptors that come without data on a stream or as a record get a zero byte to go with, which
// is not counted: that is what Go's Sendmsg does (row 182). Ends of the pipe transport among them
// move: all references to them here are then of no use. Flags that would change the result are
// MSG_DONTWAIT, and MSG_OOB, which is EOPNOTSUPP. (There are no signals, so that MSG_NOSIGNAL
// changes nothing; the kernel ignores others as well.)
func (r *Ref) Send(p, oob []byte, to *net.UnixAddr, flags int) (n int, err error) {
	return r.send(p, oob, to, flags, unlimited)
}

// send is Send, which waits no longer than l.
func (r *Ref) send(p, oob []byte, to *net.UnixAddr, flags int, l limit) (n int, err error) {
	switch {
	case r.Conn == nil:
		return 0, syscall.ENOTCONN
	case flags&MsgOob != 0:
		return 0, syscall.EOPNOTSUPP
	}
	if to, err = r.destination(to); err != nil {
		return 0, err
	}
	files, moving, err := outgoing(oob)
	if err != nil {
		return 0, os.NewSyscallError("sendmsg", err)
	}
	data := p
	if len(p) == 0 && len(oob) > 0 && r.Network() != "unixgram" {
		data = make([]byte, 1)
	}
	sent := 0
	op := func() error {
		n, err := r.Conn.WriteMsgTo(data[sent:], to, files...)
		sent += n
		if n > 0 {
			files = nil
		}
		if sent == len(data) && n > 0 {
			return nil // a deadline that came later changes nothing
		}
		return err
	}
	err = r.within(l.unless(flags), op)
	if err == nil || sent > 0 {
		for _, e := range moving {
			e.Moved()
		}
	}
	return min(sent, len(p)), err
}

// destination returns where a message goes that is sent to an address. The kernel does not look at
// that of a record, and refuses one on a stream (row 147). A datagram socket that is connected
// could send to others there; here it has a connection, and nothing else.
func (r *Ref) destination(to *net.UnixAddr) (*net.UnixAddr, error) {
	switch {
	case to == nil || r.Network() == "unixpacket":
		return nil, nil
	case r.Conn.RemoteAddr() == nil:
		return &net.UnixAddr{Name: Name(to.Name), Net: to.Net}, nil
	}
	if err := r.Writable(); err != nil {
		return nil, err
	}
	return nil, os.NewSyscallError("sendmsg", syscall.EISCONN)
}

// Name returns the name of a socket as package afunix has it: an abstract one begins with "@",
// where package syscall allows a NUL, too.
func Name(name string) string {
	if strings.HasPrefix(name, "\x00") {
		return "@" + name[1:]
	}
	return name
}

// outgoing returns the descriptors that oob sends, and the ends among them that will move. Messages
// of another level are ignored; what the kernel knows nothing of is EINVAL, and so is what is
// longer than oob (row 11). Several messages count as one (row 8).
func outgoing(oob []byte) (files []afunix.Sendable, moving []*End, err error) {
	for {
		h, data, rest, ok, err := control.Next(oob)
		if !ok {
			return files, moving, err
		}
		oob = rest
		if h.Level != control.SolSocket {
			continue
		}
		switch h.Type {
		case control.ScmRights:
			for _, fd := range control.FDs(data) {
				f, e := sendable(fd)
				files = append(files, f)
				if e != nil {
					moving = append(moving, e)
				}
			}
		case control.ScmCredentials:
			if err := checkCredentials(data); err != nil {
				return nil, nil, err
			}
		default:
			return nil, nil, syscall.EINVAL
		}
	}
}

// sendable returns what WriteMsg takes for fd, and the end that fd stands for, if it stands for an
// end, which moves. A nil file is EBADF.
func sendable(fd int) (afunix.Sendable, *End) {
	r, ok := Lookup(fd)
	switch {
	case fd < 0:
		return nil, nil
	case !ok:
		return afunix.Descriptor(fd), nil
	case r.Listener != nil:
		return r.Listener, moves(r.End, r.Listener.Transport())
	}
	return r.Conn, moves(r.End, r.Conn.Transport())
}

func moves(e *End, t afunix.Transport) *End {
	if t == afunix.PipeTransport {
		return e
	}
	return nil
}

// checkCredentials lets a process say who it is, and nobody else: EPERM. The receiver is told what
// the system knows of the sender.
func checkCredentials(data []byte) error {
	u, err := control.ParseCredentials(data)
	if err != nil {
		return err
	}
	mine := func(id uint32, ids ...int) bool {
		for _, i := range ids {
			if id == uint32(i) {
				return true
			}
		}
		return false
	}
	if !mine(uint32(u.Pid), os.Getpid()) || !mine(u.Uid, os.Getuid(), os.Geteuid()) ||
		!mine(u.Gid, os.Getgid(), os.Getegid()) {
		return syscall.EPERM
	}
	return nil
}

// Write is write(2) repeated until all of p is written.
func (r *Ref) Write(p []byte) (n int, err error) {
	if r.Conn == nil {
		return 0, syscall.ENOTCONN
	}
	err = r.Do(func() error {
		m, err := r.Conn.Write(p[n:])
		n += m
		if n == len(p) && m > 0 {
			return nil
		}
		return err
	})
	return n, err
}

// WriteBuffers is writev(2) repeated until all is written. It removes from v what has been written.
// To write nothing is no message.
func (r *Ref) WriteBuffers(v *net.Buffers) (n int64, err error) {
	if r.Conn == nil {
		return 0, syscall.ENOTCONN
	}
	left := func() bool { return slices.ContainsFunc(*v, func(b []byte) bool { return len(b) > 0 }) }
	if left() {
		err = r.Do(func() error {
			m, err := r.Conn.WriteBuffers(*v)
			n += m
			consume(v, m)
			if m > 0 && !left() {
				return nil
			}
			return err
		})
	}
	if err == nil {
		consume(v, 0)
	}
	return n, err
}

// consume removes n bytes, and what is empty before others.
func consume(v *net.Buffers, n int64) {
	for len(*v) > 0 && n >= int64(len((*v)[0])) {
		n -= int64(len((*v)[0]))
		(*v)[0] = nil
		*v = (*v)[1:]
	}
	if len(*v) > 0 {
		(*v)[0] = (*v)[0][n:]
	}
}

// Errno returns the errno in err, as a system call would return it: EBADF for what is closed,
// EAGAIN for a deadline.
func Errno(err error) error {
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, net.ErrClosed):
		return syscall.EBADF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return syscall.EAGAIN
	case errors.Is(err, afunix.ErrNotSendable), errors.Is(err, errors.ErrUnsupported):
		return syscall.EINVAL
	}
	return err
}
