package difftest

import (
	"sync"

	"afunix"

	"golang.org/x/sys/unix"
)

// The reference asks the kernel.

// Supported reports whether there is a kernel to compare with.
const Supported = true

// waitsToRead reports whether reading, or accepting, would have to wait now. A datagram socket that
// was shut down for reading is always readable for poll(2), and yet has nothing to read (row 129).
func waitsToRead(s afunix.Sendable) (waits bool) {
	if !polled(s, unix.POLLIN) {
		return true
	}
	if c, ok := s.(*afunix.Conn); ok && c.LocalAddr().Network() == "unixgram" {
		control(c, func(fd int) {
			_, _, err := unix.Recvfrom(fd, nil, unix.MSG_PEEK|unix.MSG_DONTWAIT)
			waits = err == unix.EAGAIN
		})
	}
	return waits
}

// waitsToWrite reports whether a datagram socket would have to wait for its receiver's queue. For
// other sockets accountable has seen to it that there is room, of which poll(2) wants more than a
// message takes.
func waitsToWrite(s afunix.Sendable) bool {
	c, ok := s.(*afunix.Conn)
	return ok && c.LocalAddr().Network() == "unixgram" && !polled(s, unix.POLLOUT)
}

func polled(s afunix.Sendable, events int16) (ready bool) {
	control(s, func(fd int) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		for {
			n, err := unix.Poll(fds, 0)
			if err != unix.EINTR {
				ready = n > 0
				return
			}
		}
	})
	return ready
}

func control(s afunix.Sendable, f func(fd int)) {
	raw, err := s.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// queued returns what the kernel has charged to the sender for what nobody has read, and the size
// of the buffer.
func queued(s afunix.Sendable) (bytes, buffer int) {
	control(s, func(fd int) {
		bytes, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		buffer, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return bytes, buffer
}

// wholeBuffer is a size that one sk_buff of a stream surely takes. A longer message is cut, and if
// descriptors come with it a read stops at the cut (row 26), which is accounting again.
const wholeBuffer = 32000

func drained(c *afunix.Conn) bool {
	n, _ := queued(c)
	return n == 0
}

// accountable says why a message is not sent: how much fits into a buffer is the kernel's own
// accounting, and is not compared; how many descriptors wait to be read is unlimited in a kernel
// (for root) and bounded over pipes (P3).
func (s *socket) accountable(n, descs int) string {
	out, buffer := queued(s.conn)
	if out == 0 {
		s.descs = 0
	}
	limit := 1500
	if s.dialled {
		limit = afunix.MaxRights
	}
	if descs <= afunix.MaxRights && s.descs+descs > limit {
		return "too many descriptors under way"
	}
	if s.net == "unix" && descs > 0 && n > wholeBuffer {
		return "cut where the kernel likes"
	}
	cost := 2*n + 2048
	switch s.net {
	case "unix":
		if out+cost > buffer {
			return "full"
		}
	case "unixpacket":
		if out != 0 && out+cost > buffer {
			return "full"
		}
	case "unixgram":
		if 4*out > buffer || out != 0 && out+cost > buffer { // poll tells more than the receiver's queue
			return "full"
		}
	}
	return ""
}

// newerOrder asks the kernel what it looks at first when a datagram has no destination: since 6.16
// at the datagram, and at the socket that was shut down for writing.
var newerOrder = sync.OnceValue(func() bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(s)
	if err := unix.Shutdown(s, unix.SHUT_WR); err != nil {
		return true
	}
	return unix.Send(s, []byte{0}, unix.MSG_NOSIGNAL) == unix.EPIPE
})
