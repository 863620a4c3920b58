//go:build linux || windows

package net_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testenv"
)

// What getsockopt(2) and setsockopt(2) say is the same of the kernel's sockets and of ours.

// getInt is an option of level SOL_SOCKET, asked for by way of both packages.
func getInt(t *testing.T, fd, option int) int {
	t.Helper()
	value, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, option)
	if err != nil {
		t.Errorf("option %#x: %v", option, err)
	}
	if option == syscall.SO_ERROR { // asking changes it
		return value
	}
	if other, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); other != value || err != nil {
		t.Errorf("option %#x: %d of package syscall, and %d, %v of package unix", option, value, other, err)
	}
	return value
}

func setInt(t *testing.T, fd, option, value int) {
	t.Helper()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, option, value); err != nil {
		t.Errorf("option %#x, %d: %v", option, value, err)
	}
}

// eachNumber runs f with every kind of number that there is: of a pair, of a file, and of a
// SyscallConn.
func eachNumber(t *testing.T, f func(t *testing.T, network string, fd int)) {
	each(t, all, func(t *testing.T, network string) {
		t.Run("Socketpair", func(t *testing.T) {
			a, b := socketpair(t, network)
			defer syscall.Close(a)
			defer syscall.Close(b)
			f(t, network, a)
		})
		t.Run("File", func(t *testing.T) {
			a, _ := connPair(t, network)
			file, err := a.File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			f(t, network, int(file.Fd()))
		})
		t.Run("SyscallConn", func(t *testing.T) {
			a, _ := connPair(t, network)
			control(t, a, func(fd int) { f(t, network, fd) })
		})
	})
}

func TestWhatASocketIs(t *testing.T) {
	eachNumber(t, func(t *testing.T, network string, fd int) {
		for option, want := range map[int]int{
			syscall.SO_TYPE:       types[network],
			syscall.SO_DOMAIN:     syscall.AF_UNIX,
			syscall.SO_PROTOCOL:   0,
			syscall.SO_ACCEPTCONN: 0,
			syscall.SO_ERROR:      0,
			syscall.SO_SNDLOWAT:   1,
			syscall.SO_RCVLOWAT:   1,
			syscall.SO_PASSCRED:   0,
		} {
			if got := getInt(t, fd, option); got != want {
				t.Errorf("option %#x is %d, want %d", option, got, want)
			}
			if option == syscall.SO_PASSCRED || option == syscall.SO_RCVLOWAT {
				continue
			}
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != unix.ENOPROTOOPT {
				t.Errorf("option %#x is set: %v", option, err)
			}
		}
	})
}

// The size of a buffer is doubled, and bounded. One below 0 is a large one.
func TestSizesOfBuffers(t *testing.T) {
	eachNumber(t, func(t *testing.T, network string, fd int) {
		for option, least := range map[int]int{syscall.SO_SNDBUF: 4608, syscall.SO_RCVBUF: 2304} {
			if got := getInt(t, fd, option); got < least {
				t.Errorf("option %#x is %d at first", option, got)
			}
			for _, test := range []struct{ set, want int }{
				{0, least}, {1, least}, {least/2 - 1, least}, {least/2 + 1, least + 2}, {5000, 10000}, {100_000, 200_000}, {212_992, 425_984},
			} {
				setInt(t, fd, option, test.set)
				if got := getInt(t, fd, option); got != test.want {
					t.Errorf("option %#x: %d became %d, want %d", option, test.set, got, test.want)
				}
			}
			setInt(t, fd, option, 1<<31-1)
			most := getInt(t, fd, option)
			if most < 425_984 {
				t.Errorf("option %#x: at most %d", option, most)
			}
			for _, large := range []int{-1, -1 << 31, 1 << 30} {
				setInt(t, fd, option, 5000)
				setInt(t, fd, option, large)
				if got := getInt(t, fd, option); got != most {
					t.Errorf("option %#x: %d became %d, want %d", option, large, got, most)
				}
			}
		}
	})
}

// It is the one that methods set, and that counts for records.
func TestSizesOfBuffersAreThoseOfTheConnection(t *testing.T) {
	a, _ := connPair(t, "unixpacket")
	if err := a.SetWriteBuffer(3000); err != nil {
		t.Fatal(err)
	}
	if err := a.SetReadBuffer(4000); err != nil {
		t.Fatal(err)
	}
	control(t, a, func(fd int) {
		if got := getInt(t, fd, syscall.SO_SNDBUF); got != 6000 {
			t.Errorf("SO_SNDBUF is %d", got)
		}
		if got := getInt(t, fd, syscall.SO_RCVBUF); got != 8000 {
			t.Errorf("SO_RCVBUF is %d", got)
		}
		if err := syscall.Sendmsg(fd, make([]byte, 6000), nil, nil, 0); err != syscall.EMSGSIZE {
			t.Errorf("a record that is longer than the buffer: %v", err)
		}
	})
}

// Options that mean nothing to a Unix socket are kept, as 0 or 1.
func TestOptionsThatMeanNothing(t *testing.T) {
	eachNumber(t, func(t *testing.T, network string, fd int) {
		for _, option := range []int{syscall.SO_REUSEADDR, syscall.SO_KEEPALIVE, syscall.SO_BROADCAST, syscall.SO_OOBINLINE} {
			for _, test := range []struct{ set, want int }{{7, 1}, {0, 0}, {-1, 1}, {0, 0}} {
				setInt(t, fd, option, test.set)
				if got := getInt(t, fd, option); got != test.want {
					t.Errorf("option %#x: %d became %d, want %d", option, test.set, got, test.want)
				}
			}
		}
		if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 7, Linger: 5}); err != nil {
			t.Error(err)
		}
		got, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
		if err != nil || got.Onoff != 1 || got.Linger != 5 {
			t.Errorf("SO_LINGER: %+v, %v", got, err)
		}
	})
}

// What there is not is an error, and which one depends on what is wrong first.
func TestOptionsThatThereAreNot(t *testing.T) {
	const never = 9999
	eachNumber(t, func(t *testing.T, network string, fd int) {
		for name, test := range map[string]struct{ err, want error }{
			"set an unknown one":      {syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, never, 1), syscall.ENOPROTOOPT},
			"set a byte of one":       {syscall.SetsockoptByte(fd, syscall.SOL_SOCKET, never, 1), syscall.EINVAL},
			"set a byte":              {unix.SetsockoptByte(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1), unix.EINVAL},
			"set too long a value":    {unix.SetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 5000), nil},
			"set three bytes":         {syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, "abc"), syscall.EINVAL},
			"set half a time":         {syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, 1), syscall.EINVAL},
			"set half of SO_LINGER":   {unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LINGER, 1), unix.EINVAL},
			"set who the peer is":     {unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERCRED, 1), unix.ENOPROTOOPT},
			"set one of another kind": {syscall.SetsockoptInt(fd, 6, 1, 1), syscall.EOPNOTSUPP},
		} {
			if test.err != test.want {
				t.Errorf("%s: %v, want %v", name, test.err, test.want)
			}
		}
		if _, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, never); err != syscall.ENOPROTOOPT {
			t.Errorf("ask for an unknown one: %v", err)
		}
		if _, err := unix.GetsockoptInt(fd, 6, 1); err != unix.EOPNOTSUPP {
			t.Errorf("ask for one of another kind: %v", err)
		}
	})
}

// A call that asks for fewer bytes than there are gets the first of them.
func TestBeginningsOfOptions(t *testing.T) {
	a, b := socketpair(t, "unixpacket")
	defer syscall.Close(a)
	defer syscall.Close(b)
	if got, err := unix.GetsockoptByte(a, unix.SOL_SOCKET, unix.SO_TYPE); got != unix.SOCK_SEQPACKET || err != nil {
		t.Errorf("a byte of SO_TYPE: %d, %v", got, err)
	}
	if got := getInt(t, a, syscall.SO_PEERCRED); got != os.Getpid() {
		t.Errorf("an int of SO_PEERCRED: %d", got)
	}
	if got, err := unix.GetsockoptUint64(a, unix.SOL_SOCKET, unix.SO_TYPE); got != unix.SOCK_SEQPACKET || err != nil {
		t.Errorf("more than SO_TYPE: %d, %v", got, err)
	}
	if got, err := unix.GetsockoptString(a, unix.SOL_SOCKET, unix.SO_TYPE); got != "\x05" || err != nil {
		t.Errorf("SO_TYPE as a string: %q, %v", got, err)
	}
}

// SO_ERROR is what the next read would have said, which then does not.
func TestPendingError(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		send(t, b, "queued")
		send(t, a, "unread")
		syscall.Close(b)
		if got := getInt(t, a, syscall.SO_ERROR); syscall.Errno(got) != syscall.ECONNRESET {
			t.Errorf("SO_ERROR is %d", got)
		}
		if got := getInt(t, a, syscall.SO_ERROR); got != 0 {
			t.Errorf("SO_ERROR is %d afterwards", got)
		}
		for _, want := range []received{{"queued", 6, 0, 0, nil}, {}} {
			if r := recvmsg(t, a, 10, 0); r != want {
				t.Errorf("%+v, want %+v", r, want)
			}
		}
	})
	t.Run("read first", func(t *testing.T) {
		a, b := socketpair(t, "unix")
		defer syscall.Close(a)
		send(t, a, "unread")
		syscall.Close(b)
		if r := recvmsg(t, a, 10, 0); r.err != syscall.ECONNRESET {
			t.Errorf("%+v", r)
		}
		if got := getInt(t, a, syscall.SO_ERROR); got != 0 {
			t.Errorf("SO_ERROR is %d", got)
		}
	})
}

func TestOptionsOfListeners(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		l := listen(t, network, socketPath(t))
		control(t, l, func(fd int) {
			for option, want := range map[int]int{
				syscall.SO_TYPE: types[network], syscall.SO_DOMAIN: syscall.AF_UNIX, syscall.SO_PROTOCOL: 0, syscall.SO_ACCEPTCONN: 1,
				syscall.SO_ERROR: 0, syscall.SO_PASSCRED: 0,
			} {
				if got := getInt(t, fd, option); got != want {
					t.Errorf("option %#x is %d, want %d", option, got, want)
				}
			}
			for _, option := range []int{syscall.SO_SNDBUF, syscall.SO_RCVBUF} {
				setInt(t, fd, option, 10_000)
				if got := getInt(t, fd, option); got != 20_000 {
					t.Errorf("option %#x is %d", option, got)
				}
			}
			u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
			if err != nil || int(u.Pid) != os.Getpid() || u.Uid != uint32(os.Geteuid()) {
				t.Errorf("SO_PEERCRED: %+v, %v", u, err)
			}
			setTimeout(t, fd, syscall.SO_RCVTIMEO, time.Second)
		})
		client, server := meet(t, l, network)
		for _, c := range []*net.UnixConn{client, server} {
			control(t, c, func(fd int) {
				if got := getInt(t, fd, syscall.SO_SNDBUF); got == 20_000 {
					t.Error("a connection has its listener's SO_SNDBUF")
				}
				if tv, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO); err != nil || unix.TimevalToNsec(*tv) != 0 {
					t.Errorf("a connection has its listener's SO_RCVTIMEO: %v, %v", tv, err)
				}
			})
		}
	})
}

// meet connects to a listener.
func meet(t *testing.T, l *net.UnixListener, network string) (client, server *net.UnixConn) {
	t.Helper()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client = guard(t, c)
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, guard(t, s)
}

// Connections have their listener's SO_PASSCRED from their first message on.
func TestPassCredentialsOfAListener(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		l := listen(t, network, socketPath(t))
		control(t, l, func(fd int) {
			setInt(t, fd, syscall.SO_PASSCRED, 1)
			if got := getInt(t, fd, syscall.SO_PASSCRED); got != 1 {
				t.Errorf("SO_PASSCRED is %d", got)
			}
		})
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		client := guard(t, c)
		for _, text := range []string{"early", "late"} {
			if text == "late" {
				s, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { expectCredentials(t, guard(t, s), 2) }()
			}
			if _, err := client.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// expectCredentials reads messages, each of which says that this process has sent it.
func expectCredentials(t *testing.T, c *net.UnixConn, n int) {
	t.Helper()
	control(t, c, func(fd int) {
		if got := getInt(t, fd, syscall.SO_PASSCRED); got != 1 {
			t.Errorf("SO_PASSCRED of the connection is %d", got)
		}
	})
	for got := 0; got < n; got++ {
		oob := make([]byte, syscall.CmsgSpace(syscall.SizeofUcred))
		_, oobn, _, _, err := c.ReadMsgUnix(make([]byte, 5), oob)
		if err != nil {
			t.Fatal(err)
		}
		msgs, err := syscall.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(msgs) != 1 {
			t.Fatal(len(msgs), err)
		}
		u, err := syscall.ParseUnixCredentials(&msgs[0])
		if err != nil || int(u.Pid) != os.Getpid() || u.Uid != uint32(os.Getuid()) {
			t.Errorf("%+v, %v", u, err)
		}
	}
}

// A number that stands for nothing any more has no options.
func TestOptionsOfAnEndThatHasMoved(t *testing.T) {
	needRights(t)
	if !overPipe {
		t.Skip("the kernel's sockets do not move")
	}
	a, b := socketpair(t, "unix")
	c, d := socketpair(t, "unix")
	for _, fd := range []int{a, b, c, d} {
		defer syscall.Close(fd)
	}
	setInt(t, c, syscall.SO_SNDBUF, 5000)
	setInt(t, c, syscall.SO_PASSCRED, 1)
	setInt(t, c, syscall.SO_KEEPALIVE, 1)
	send(t, a, "x", c)
	if _, err := syscall.GetsockoptInt(c, syscall.SOL_SOCKET, syscall.SO_TYPE); err != syscall.EBADF {
		t.Errorf("SO_TYPE of what has moved: %v", err)
	}
	oob := make([]byte, syscall.CmsgSpace(4))
	_, oobn, _, _, err := syscall.Recvmsg(b, make([]byte, 1), oob, 0)
	if err != nil {
		t.Fatal(err)
	}
	moved := rightsOf(t, oob[:oobn])[0]
	defer syscall.Close(moved)
	for option, want := range map[int]int{syscall.SO_SNDBUF: 10_000, syscall.SO_PASSCRED: 1, syscall.SO_KEEPALIVE: 0} {
		if got := getInt(t, moved, option); got != want {
			t.Errorf("option %#x of what has come is %d, want %d", option, got, want)
		}
	}
}

// Other descriptors go to the system.
func TestOptionsOfOtherDescriptors(t *testing.T) {
	f := testenv.TempFile(t, "no socket")
	fd := int(f.Fd())
	_, asked := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	set := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
	for _, err := range []error{asked, set} {
		if err == nil || runtime.GOOS != "windows" && err != syscall.ENOTSOCK {
			t.Error(err)
		}
	}
}

func TestBuffers(t *testing.T) {
	a, b := connPair(t, "unix")
	if err := a.SetWriteBuffer(10000); err != nil {
		t.Error(err)
	}
	if err := b.SetReadBuffer(10000); err != nil {
		t.Error(err)
	}
	control(t, a, func(fd int) {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 20000); err != nil {
			t.Error(err)
		}
	})
}
