package net_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

// These tests are what programs do. They are run three times: on the kernel of Linux, with the tag
// afunix_pipe, and on Windows.

func TestMain(m *testing.M) {
	testchild.Main(m, map[string]func(args []string) error{"sender": sender})
}

// patience bounds every wait that should not last.
const patience = 20 * time.Second

var (
	all      = []string{"unix", "unixgram", "unixpacket"}
	listened = []string{"unix", "unixpacket"}
	types    = map[string]int{"unix": syscall.SOCK_STREAM, "unixgram": syscall.SOCK_DGRAM, "unixpacket": syscall.SOCK_SEQPACKET}
)

func each(t *testing.T, networks []string, f func(t *testing.T, network string)) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// needRights skips a test of descriptors where the transport under test passes none.
func needRights(t *testing.T) {
	t.Helper()
	if overPipe {
		testenv.NeedPipeRights(t)
	}
}

// socketpair returns two descriptors that are closed when the test ends, unless it has closed them.
func socketpair(t *testing.T, network string) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, types[network], 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

// connPair returns the ends of such a pair as connections.
func connPair(t *testing.T, network string) (a, b *net.UnixConn) {
	t.Helper()
	x, y := socketpair(t, network)
	return asConn(t, x), asConn(t, y)
}

// asConn makes a connection of a descriptor, as programs do: by way of an os.File.
func asConn(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "end")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	return guard(t, c)
}

func guard(t *testing.T, c net.Conn) *net.UnixConn {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn)
}

func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(testenv.TempDir(t), "s")
}

func listen(t *testing.T, network, path string) *net.UnixListener {
	t.Helper()
	l, err := net.Listen(network, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u := l.(*net.UnixListener)
	if err := u.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return u
}

// connect returns both ends of a connection that was dialled and accepted.
func connect(t *testing.T, network string) (client, server *net.UnixConn) {
	t.Helper()
	path := socketPath(t)
	l := listen(t, network, path)
	c, err := net.Dial(network, path)
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

// rightsOf returns the descriptors in oob, which has one message.
func rightsOf(t *testing.T, oob []byte) []int {
	t.Helper()
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		t.Fatalf("ParseSocketControlMessage: %d messages, %v", len(msgs), err)
	}
	fds, err := syscall.ParseUnixRights(&msgs[0])
	if err != nil {
		t.Fatal(err)
	}
	return fds
}

// expectFile reads what a received descriptor is a file of.
func expectFile(t *testing.T, fd int, text string) {
	t.Helper()
	f := os.NewFile(uintptr(fd), "received")
	defer f.Close()
	if got, err := io.ReadAll(f); string(got) != text || err != nil {
		t.Errorf("the received file has %q, %v; want %q", got, err, text)
	}
}

// expectSoon fails the test if f does not return nil in time.
func expectSoon(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it takes too long")
	}
}

func TestDescriptorOverSocketpair(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer unix.Close(a)
		defer unix.Close(b)
		f := testenv.TempFile(t, "hello")
		if err := unix.Sendmsg(a, []byte("x"), unix.UnixRights(int(f.Fd())), nil, 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
		buf, oob := make([]byte, 10), make([]byte, unix.CmsgSpace(4))
		n, oobn, flags, _, err := unix.Recvmsg(b, buf, oob, 0)
		if n != 1 || buf[0] != 'x' || flags != 0 || err != nil {
			t.Fatalf("Recvmsg = %d, %d, %#x, %v", n, oobn, flags, err)
		}
		fds := rightsOf(t, oob[:oobn])
		if len(fds) != 1 {
			t.Fatal(fds)
		}
		expectFile(t, fds[0], "hello")
	})
}

func TestDescriptorOverListener(t *testing.T) {
	needRights(t)
	each(t, listened, func(t *testing.T, network string) {
		client, server := connect(t, network)
		f := testenv.TempFile(t, "hello")
		rights := syscall.UnixRights(int(f.Fd()), int(f.Fd()))
		if n, oobn, err := client.WriteMsgUnix([]byte("xy"), rights, nil); n != 2 || oobn != len(rights) || err != nil {
			t.Fatal(n, oobn, err)
		}
		f.Close()
		buf, oob := make([]byte, 10), make([]byte, syscall.CmsgSpace(2*4))
		n, oobn, flags, addr, err := server.ReadMsgUnix(buf, oob)
		if n != 2 || flags&syscall.MSG_CTRUNC != 0 || addr != nil || err != nil {
			t.Fatal(n, oobn, flags, addr, err)
		}
		fds := rightsOf(t, oob[:oobn])
		if len(fds) != 2 {
			t.Fatal(fds)
		}
		defer syscall.Close(fds[1])
		expectFile(t, fds[0], "hello")
	})
}
