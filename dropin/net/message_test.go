package net_test

import (
	"bytes"
	"errors"
	"go/build"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testenv"
)

// Rights without data get a zero byte to go with on streams and in records (row 182), and a
// datagram may be empty.
func TestRightsWithoutData(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		f := testenv.TempFile(t, "hello")
		n, oobn, err := a.WriteMsgUnix(nil, syscall.UnixRights(int(f.Fd())), nil)
		if n != 0 || oobn != syscall.CmsgSpace(4) || err != nil {
			t.Fatal(n, oobn, err)
		}
		buf, oob := []byte{7, 7}, make([]byte, syscall.CmsgSpace(4))
		n, oobn, _, _, err = b.ReadMsgUnix(buf, oob)
		want := 1
		if network == "unixgram" {
			want = 0
		}
		if n != want || err != nil || n == 1 && buf[0] != 0 {
			t.Fatal(n, buf, err)
		}
		expectFile(t, rightsOf(t, oob[:oobn])[0], "hello")
	})
}

// A receiver without room for data takes a byte all the same, and counts it (row 183); of a
// datagram it takes nothing (row 17).
func TestRightsIntoNoBuffer(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		f := testenv.TempFile(t, "hello")
		if _, _, err := a.WriteMsgUnix([]byte("x"), syscall.UnixRights(int(f.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		oob := make([]byte, syscall.CmsgSpace(4))
		n, oobn, flags, _, err := b.ReadMsgUnix(nil, oob)
		want := 1
		if network == "unixgram" {
			want = 0
		}
		if n != want || err != nil || (flags&syscall.MSG_TRUNC != 0) != (n == 0) {
			t.Fatal(n, flags, err)
		}
		expectFile(t, rightsOf(t, oob[:oobn])[0], "hello")
	})
}

// Descriptors that the buffer has no room for are closed, and MSG_CTRUNC says so; room for some is
// room for those (rows 19, 38 to 40).
func TestControlTruncation(t *testing.T) {
	needRights(t)
	header := syscall.CmsgLen(0)
	for _, test := range []struct {
		name      string
		room      int
		rights    int
		truncated bool
	}{
		{"no buffer", 0, 0, true},
		{"less than a header", header - 1, 0, true},
		{"a header", header, 0, true},
		{"two of three", syscall.CmsgLen(8), 2, true},
		{"one of three, and the padding behind it", syscall.CmsgSpace(4), (syscall.CmsgSpace(4) - header) / 4, true},
		{"three without padding", syscall.CmsgLen(12), 3, false},
		{"plenty", 100, 3, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, all, func(t *testing.T, network string) {
				a, b := connPair(t, network)
				f, w := testenv.TempFile(t, "hello"), testenv.NewWitness(t)
				rights := syscall.UnixRights(int(f.Fd()), int(f.Fd()), int(w.W.Fd()))
				if _, _, err := a.WriteMsgUnix([]byte("x"), rights, nil); err != nil {
					t.Fatal(err)
				}
				oob := make([]byte, test.room)
				n, oobn, flags, _, err := b.ReadMsgUnix(make([]byte, 1), oob)
				if n != 1 || err != nil {
					t.Fatal(n, err)
				}
				if got := flags&syscall.MSG_CTRUNC != 0; got != test.truncated {
					t.Errorf("MSG_CTRUNC: %t, want %t", got, test.truncated)
				}
				if oobn > test.room || test.rights == 0 && oobn != 0 {
					t.Errorf("%d bytes of control data in %d", oobn, test.room)
				}
				if test.rights > 0 {
					fds := rightsOf(t, oob[:oobn])
					if len(fds) != test.rights {
						t.Fatalf("%d descriptors, want %d", len(fds), test.rights)
					}
					for _, fd := range fds {
						defer syscall.Close(fd)
					}
				}
				if test.truncated {
					w.ExpectClosed(t)
				}
			})
		})
	}
}

// A plain read closes descriptors (row 18).
func TestReadDiscardsRights(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		w := testenv.NewWitness(t)
		if _, _, err := a.WriteMsgUnix([]byte("x"), syscall.UnixRights(int(w.W.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.ExpectClosed(t)
	})
}

// What is not right in ancillary data sends nothing (rows 7, 8, 10, 11).
func TestBadControlData(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		f := testenv.TempFile(t, "hello")
		rights := syscall.UnixRights(int(f.Fd()))
		changed := func(at int, to byte) []byte {
			b := bytes.Clone(rights)
			b[at] = to
			return b
		}
		const word = 4 << (^uintptr(0) >> 63)
		for _, test := range []struct {
			name string
			oob  []byte
			want error
		}{
			{"length 1", changed(0, 1), syscall.EINVAL},
			{"length below the header", changed(0, byte(syscall.CmsgLen(0)-1)), syscall.EINVAL},
			{"length beyond the buffer", changed(0, byte(len(rights)+1)), syscall.EINVAL},
			{"unknown type", changed(word+4, 99), syscall.EINVAL},
			{"a descriptor of -1", syscall.UnixRights(-1), syscall.EBADF},
			{"a good one and -1", syscall.UnixRights(int(f.Fd()), -1), syscall.EBADF},
			{"one that is not open", syscall.UnixRights(1 << 20), syscall.EBADF},
			{"254", syscall.UnixRights(many(254, int(f.Fd()))...), syscall.EINVAL},
			{"200 and 200", append(syscall.UnixRights(many(200, int(f.Fd()))...), syscall.UnixRights(many(200, int(f.Fd()))...)...), syscall.EINVAL},
		} {
			t.Run(test.name, func(t *testing.T) {
				a, b := connPair(t, network)
				if _, oobn, err := a.WriteMsgUnix([]byte("x"), test.oob, nil); oobn != 0 || !errors.Is(err, test.want) {
					t.Fatalf("%d, %v; want %v", oobn, err, test.want)
				}
				if _, err := a.Write([]byte("y")); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 2)
				if n, err := b.Read(buf); n != 1 || buf[0] != 'y' || err != nil {
					t.Errorf("Read = %q, %v; want y alone", buf[:n], err)
				}
			})
		}
	})
}

func many(n, fd int) []int {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = fd
	}
	return fds
}

// Messages of another level, and a buffer that is too short for any, are none; two messages are one
// (rows 8, 11).
func TestOddControlData(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		f := testenv.TempFile(t, "hello")
		foreign := syscall.UnixRights(99)
		const word = 4 << (^uintptr(0) >> 63)
		foreign[word] = 41 // IPPROTO_IPV6
		for _, oob := range [][]byte{foreign, make([]byte, 5)} {
			if _, _, err := a.WriteMsgUnix([]byte("x"), oob, nil); err != nil {
				t.Fatal(err)
			}
			if _, oobn, flags, _, err := b.ReadMsgUnix(make([]byte, 1), make([]byte, 100)); oobn != 0 || flags&syscall.MSG_CTRUNC != 0 || err != nil {
				t.Fatal(oobn, flags, err)
			}
		}
		two := append(syscall.UnixRights(int(f.Fd())), syscall.UnixRights(int(f.Fd()), int(f.Fd()))...)
		if _, _, err := a.WriteMsgUnix([]byte("x"), two, nil); err != nil {
			t.Fatal(err)
		}
		oob := make([]byte, 100)
		_, oobn, _, _, err := b.ReadMsgUnix(make([]byte, 1), oob)
		if err != nil {
			t.Fatal(err)
		}
		fds := rightsOf(t, oob[:oobn])
		if len(fds) != 3 {
			t.Errorf("%d descriptors, want 3", len(fds))
		}
		for _, fd := range fds {
			syscall.Close(fd)
		}
	})
}

// 253 descriptors are one message.
func TestMostRights(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		f := testenv.TempFile(t, "hello")
		if _, _, err := a.WriteMsgUnix([]byte("x"), syscall.UnixRights(many(253, int(f.Fd()))...), nil); err != nil {
			t.Fatal(err)
		}
		oob := make([]byte, syscall.CmsgSpace(4*253))
		_, oobn, _, _, err := b.ReadMsgUnix(make([]byte, 1), oob)
		if err != nil {
			t.Fatal(err)
		}
		fds := rightsOf(t, oob[:oobn])
		if len(fds) != 253 {
			t.Errorf("%d descriptors", len(fds))
		}
		for _, fd := range fds {
			if err := unix.Close(fd); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRecvmsgFlags(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		buf := make([]byte, 10)
		if _, _, _, _, err := syscall.Recvmsg(b, buf, nil, syscall.MSG_DONTWAIT); err != syscall.EAGAIN {
			t.Errorf("MSG_DONTWAIT with nothing to read: %v", err)
		}
		if err := syscall.SetNonblock(b, true); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Read(b, buf); err != syscall.EAGAIN {
			t.Errorf("non-blocking read with nothing to read: %v", err)
		}
		if err := syscall.SetNonblock(b, false); err != nil {
			t.Fatal(err)
		}
		f := testenv.TempFile(t, "hello")
		if n, err := syscall.SendmsgN(a, []byte("xyz"), syscall.UnixRights(int(f.Fd())), nil, 0); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		oob := make([]byte, syscall.CmsgSpace(4))
		n, oobn, _, _, err := syscall.Recvmsg(b, buf, oob, syscall.MSG_PEEK)
		if string(buf[:n]) != "xyz" || err != nil {
			t.Fatal(n, err)
		}
		expectFile(t, rightsOf(t, oob[:oobn])[0], "hello")
		if _, err := f.Seek(0, io.SeekStart); err != nil { // the descriptors share their offset
			t.Fatal(err)
		}
		n, oobn, flags, _, err := syscall.Recvmsg(b, buf[:2], oob, 0)
		if string(buf[:n]) != "xy" || err != nil {
			t.Fatal(n, err)
		}
		if truncated := flags&syscall.MSG_TRUNC != 0; truncated != (network != "unix") {
			t.Errorf("MSG_TRUNC: %t", truncated)
		}
		expectFile(t, rightsOf(t, oob[:oobn])[0], "hello")
	})
}

// At the system call's level the end of a stream is 0 bytes, and at package net's io.EOF: until Go
// 1.27 in an error, but for Read.
func TestEndOfStream(t *testing.T) {
	a, b := socketpair(t, "unix")
	defer syscall.Close(b)
	if err := syscall.Shutdown(a, syscall.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if n, oobn, _, from, err := syscall.Recvmsg(b, make([]byte, 1), make([]byte, 10), 0); n != 0 || oobn != 0 || from != nil || err != nil {
		t.Error(n, oobn, from, err)
	}
	if n, err := syscall.Read(b, make([]byte, 1)); n != 0 || err != nil {
		t.Error(n, err)
	}
	c := asConn(t, a)
	defer c.Close()
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
	x, y := connPair(t, "unix")
	x.Close()
	if _, err := y.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v", err)
	}
	bare := slices.Contains(build.Default.ReleaseTags, "go1.27")
	for name, receive := range receivers(y) {
		err := receive()
		op, wrapped := err.(*net.OpError)
		if wrapped == bare || wrapped && (op.Op != "read" || op.Err != io.EOF) || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

// receivers are the methods of c that receive a message, by name.
func receivers(c *net.UnixConn) map[string]func() error {
	b := make([]byte, 1)
	return map[string]func() error{
		"ReadFrom":     func() error { _, _, err := c.ReadFrom(b); return err },
		"ReadFromUnix": func() error { _, _, err := c.ReadFromUnix(b); return err },
		"ReadMsgUnix":  func() error { _, _, _, _, err := c.ReadMsgUnix(b, nil); return err },
	}
}

// Datagrams carry descriptors to named sockets, and say who sent them.
func TestDatagramsBetweenNames(t *testing.T) {
	needRights(t)
	path := socketPath(t)
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	guard(t, server)
	client, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path + "c", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path + "c")
	guard(t, client)
	f := testenv.TempFile(t, "hello")
	if _, _, err := client.WriteMsgUnix([]byte("x"), syscall.UnixRights(int(f.Fd())), server.LocalAddr().(*net.UnixAddr)); err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, from, err := server.ReadMsgUnix(make([]byte, 10), oob)
	if n != 1 || err != nil || from == nil || from.String() != path+"c" {
		t.Fatal(n, from, err)
	}
	expectFile(t, rightsOf(t, oob[:oobn])[0], "hello")
	if _, err := server.WriteToUnix([]byte("back"), from); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, from, err := client.ReadFrom(buf); string(buf[:n]) != "back" || from.String() != path || err != nil {
		t.Error(n, from, err)
	}
}

// Bytes and deadlines go on working when one call in the middle has been interrupted.
func TestDeadline(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		if err := b.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, _, _, _, err := b.ReadMsgUnix(make([]byte, 1), nil)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			t.Error("it is no timeout")
		}
		if err := b.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Error(n, err)
		}
	})
}

// An abstract name may begin with a NUL as well as with "@".
func TestAbstractNames(t *testing.T) {
	l := listen(t, "unix", "\x00afunix-"+t.Name())
	c, err := net.Dial("unix", "@afunix-"+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := l.Addr().String(); got != "@afunix-"+t.Name() {
		t.Errorf("it is called %q", got)
	}
	if c, err = net.Dial("unix", "\x00afunix-"+t.Name()); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// Sendto and Recvfrom are Sendmsg and Recvmsg without descriptors.
func TestSendtoAndRecvfrom(t *testing.T) {
	path := socketPath(t)
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	guard(t, server)
	client, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path + "c", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path + "c")
	guard(t, client)
	raw, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Write(func(fd uintptr) bool { // the descriptor does not wait, and the first datagram has to find its receiver
		err := unix.Sendto(int(fd), []byte("hello"), 0, &unix.SockaddrUnix{Name: path})
		if err != nil && err != syscall.EAGAIN {
			t.Error(err)
		}
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Error(err)
	}
	raw, err = server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	err = raw.Read(func(fd uintptr) bool {
		n, from, err := syscall.Recvfrom(int(fd), buf, 0)
		if err == syscall.EAGAIN {
			return false
		}
		if name, ok := from.(*syscall.SockaddrUnix); string(buf[:max(n, 0)]) != "hello" || err != nil || !ok || name.Name != path+"c" {
			t.Errorf("Recvfrom: %q, %v, %v", buf[:max(n, 0)], from, err)
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}

	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		if err := syscall.Sendto(a, []byte("one"), 0, nil); err != nil {
			t.Fatal(err)
		}
		if n, _, err := unix.Recvfrom(b, buf, unix.MSG_PEEK); string(buf[:n]) != "one" || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
		if err := syscall.Sendto(a, []byte("x"), 0, &syscall.SockaddrInet4{}); err != syscall.EAFNOSUPPORT && overPipe {
			t.Errorf("Sendto an address of another family: %v", err)
		}
	})
}
