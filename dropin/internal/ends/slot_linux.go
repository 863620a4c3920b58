package ends

import (
	"os"

	"golang.org/x/sys/unix"
)

// A key names a pipe: all its descriptors have the same inode, and no other file has it.
type key struct{ device, inode uint64 }

// atOnce is the longest message that can be written to a number as if it were a socket. A pipe
// splits longer ones (O_DIRECT).
const atOnce = 4 << 10 // PIPE_BUF

// open makes a pipe, which keeps messages apart or not. The keeper does not block; the number does,
// as a new socket does.
func open(messages bool) (fd int, k key, keeper *os.File, err error) {
	flags := unix.O_CLOEXEC
	if messages {
		flags |= unix.O_DIRECT
	}
	var p [2]int
	if err := unix.Pipe2(p[:], flags); err != nil {
		return -1, key{}, nil, err
	}
	k, ok := identify(p[1])
	if !ok {
		unix.Close(p[0])
		unix.Close(p[1])
		return -1, key{}, nil, unix.EBADF
	}
	_ = unix.SetNonblock(p[0], true) // cannot fail: the descriptor is open
	return p[1], k, os.NewFile(uintptr(p[0]), "keeper"), nil
}

func identify(fd int) (key, bool) {
	var st unix.Stat_t
	for {
		switch err := unix.Fstat(fd, &st); err {
		case nil:
			return key{uint64(st.Dev), st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFIFO
		case unix.EINTR:
		default:
			return key{}, false
		}
	}
}

func closeFD(fd int) error { return unix.Close(fd) }

// abandoned reports whether every copy of the number is closed, and all that was written to it has
// been read.
func (s *slot) abandoned() (yes bool) {
	raw, err := s.keeper.SyscallConn()
	if err != nil {
		return false
	}
	// If the keeper is closed, somebody else has dropped the slot.
	_ = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(p, 0)
			if err == unix.EINTR {
				continue
			}
			yes = n == 1 && p[0].Revents&(unix.POLLIN|unix.POLLHUP) == unix.POLLHUP
			return
		}
	})
	return yes
}

// nonblocking reports whether fd has O_NONBLOCK, which belongs to all its copies, as a socket's
// does.
func nonblocking(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0
}

// SetNonblock sets whether calls that name fd, a number of an end, may wait.
func SetNonblock(fd int, on bool) error { return unix.SetNonblock(fd, on) }
