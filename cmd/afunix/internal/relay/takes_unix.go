//go:build unix

package relay

import (
	"afunix"

	"golang.org/x/sys/unix"
)

// Takes asks the system whether the connection is shut down in both directions, as it is when the
// peer has closed it. The end of a connection's stream looks the same without that.
func (s *socket) Takes() bool {
	if s.Transport() != afunix.KernelTransport {
		return s.takesEmpty()
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	hup := false
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP is always looked for
		if _, err := unix.Poll(p, 0); err == nil {
			hup = p[0].Revents&unix.POLLHUP != 0
		}
	})
	return err == nil && !hup
}
