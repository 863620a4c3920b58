package relay

import (
	"net"
	"os"
	"syscall"

	"afunix"

	"golang.org/x/sys/unix"
)

// askForCredentials makes the kernel tell who has sent what is received. That is also what tells an
// empty record from the end.
func askForCredentials(c *afunix.Conn) {
	if c.Transport() == afunix.KernelTransport {
		_ = c.SetPassCredentials(true) // fails if c is closed, as everything else will
	}
}

// sendFor sends a message with the credentials of its sender (SCM_CREDENTIALS), as far as this
// process may: for the number of another process it needs CAP_SYS_ADMIN, for another user
// CAP_SETUID and CAP_SETGID (unix(7)). A process that has ended has no number any more; its user
// stays, so that nobody speaks as the user of the relay who could not do so without it.
//
// The library has no call for that: no other program has any business with it.
func (s *socket) sendFor(m Message) (sent bool, err error) {
	files, ok := numbers(m.Rights)
	if !ok || len(m.Data) == 0 { // to an empty record package unix adds a byte
		return false, nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false, err
	}
	who := unix.Ucred{Pid: int32(m.creds.PID), Uid: uint32(m.creds.UID), Gid: uint32(m.creds.GID)}
	if who.Pid == 0 {
		who.Pid = int32(os.Getpid())
	}
	for data := m.Data; !sent || len(data) > 0; sent = true {
		n, err := sendAs(raw, data, files, &who)
		if err == unix.EPERM && !sent {
			s.mute = true // the target sees whose relay this is
			return false, nil
		}
		if err != nil {
			return sent, &net.OpError{Op: "write", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(),
				Err: os.NewSyscallError("sendmsg", err)} // as package afunix has it
		}
		data, files = data[n:], nil // they go with the first byte
	}
	return true, nil
}

// sendAs sends once, as the sender's process, or else as one of the sender's user.
func sendAs(raw syscall.RawConn, data []byte, files []int, who *unix.Ucred) (int, error) {
	self := int32(os.Getpid())
	for {
		control := unix.UnixCredentials(who)
		if len(files) > 0 {
			control = append(control, unix.UnixRights(files...)...)
		}
		n, err := sendOnce(raw, data, control)
		if err != unix.EPERM && err != unix.ESRCH || who.Pid == self {
			return n, err
		}
		who.Pid = self
	}
}

// numbers returns the descriptors as they are passed by the kernel. An end of the pipe transport is
// none.
func numbers(rights []Right) (fds []int, ok bool) {
	for _, r := range rights {
		d, ok := r.Sendable.(afunix.Descriptor)
		if !ok {
			return nil, false
		}
		fds = append(fds, int(d))
	}
	return fds, true
}

func sendOnce(raw syscall.RawConn, data, control []byte) (n int, err error) {
	waited := raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), data, control, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if waited != nil {
		return 0, waited
	}
	return n, err
}
