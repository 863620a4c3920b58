//go:build unix

package kernel

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"afunix/internal/cred"
	"afunix/internal/testenv"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

var tested Transport

func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(testenv.TempDir(t), "s")
}

// listenAny listens, or binds a datagram socket, and returns how to close it.
func listenAny(t *testing.T, network, address string, config transport.Options) (stop func() error, err error) {
	if network == dgram {
		c, err := tested.ListenPacket(t.Context(), network, address, config)
		if err != nil {
			return nil, err
		}
		return c.Close, nil
	}
	l, err := tested.Listen(t.Context(), network, address, config)
	if err != nil {
		return nil, err
	}
	return l.Close, nil
}

func permissionOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestModeIsExactWhateverTheUmask(t *testing.T) {
	for _, network := range []string{stream, packet, dgram} {
		for _, test := range []struct {
			umask      int
			mode, want fs.FileMode
		}{
			{0o022, 0, 0o755},     // the umask decides
			{0o077, 0, 0o700},     //
			{0o077, 0o666, 0o666}, // wider than the umask allows
			{0o000, 0o600, 0o600}, // narrower
		} {
			path := socketPath(t)
			before := unix.Umask(test.umask)
			stop, err := listenAny(t, network, path, transport.Options{Mode: test.mode})
			unix.Umask(before)
			if errors.Is(err, syscall.EPROTONOSUPPORT) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := permissionOf(t, path); got != test.want {
				t.Errorf("%s: mode %o under umask %o gives %o; want %o", network, test.mode, test.umask, got, test.want)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFailedListenLeavesNoSocketFile(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{stream, dgram} {
		if _, err := listenAny(t, network, path, transport.Options{Mode: 0o666}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v; want EADDRINUSE", network, err)
		}
	}
	if text, err := os.ReadFile(path); string(text) != "mine" || err != nil || permissionOf(t, path) != 0o600 {
		t.Errorf("the file is now %q, %v, %o", text, err, permissionOf(t, path))
	}
}

// The socket file goes when the listener is closed, unless told otherwise. The file of a received
// listener stays (row 191).
func TestUnlinkOnClose(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(transport.Listener)
		stays   bool
	}{
		{"default", func(transport.Listener) {}, false},
		{"switched off", func(l transport.Listener) { l.SetUnlinkOnClose(false) }, true},
		{"off and on", func(l transport.Listener) { l.SetUnlinkOnClose(false); l.SetUnlinkOnClose(true) }, false},
	} {
		for _, mode := range []fs.FileMode{0, 0o640} {
			path := socketPath(t)
			l, err := tested.Listen(t.Context(), stream, path, transport.Options{Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			test.prepare(l)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); (err == nil) != test.stays {
				t.Errorf("%s, mode %o: the file: %v", test.name, mode, err)
			}
		}
	}
}

// unauthorized refuses everybody.
func unauthorized(cred.Credentials) error { return syscall.EACCES }

func TestRefusedPeerSeesTheEnd(t *testing.T) {
	path := socketPath(t)
	l, err := tested.Listen(t.Context(), stream, path, transport.Options{Authorize: unauthorized})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := tested.Dial(t.Context(), stream, nil, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v; nobody is to be accepted", err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %d, %v; want the end", n, err)
	}
}

func TestReceivedDescriptorOfAnotherFamily(t *testing.T) {
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	withFD(t, u.(syscall.Conn), func(fd uintptr) {
		if _, err := NewConn(fd); err != syscall.EAFNOSUPPORT {
			t.Errorf("NewConn of a UDP socket: %v", err)
		}
	})
	withFD(t, l.(syscall.Conn), func(fd uintptr) {
		if _, err := NewListener(fd); err != syscall.EAFNOSUPPORT {
			t.Errorf("NewListener of a TCP socket: %v", err)
		}
	})
	if _, err := NewConn(1 << 20); !errors.Is(err, syscall.EBADF) {
		t.Errorf("NewConn of nothing: %v", err)
	}
	if _, err := NewListener(1 << 20); !errors.Is(err, syscall.EBADF) {
		t.Errorf("NewListener of nothing: %v", err)
	}
}

func withFD(t *testing.T, c syscall.Conn, f func(fd uintptr)) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// dialAll connects so many clients.
func dialAll(t *testing.T, path string, n int) {
	t.Helper()
	for range n {
		c, err := tested.Dial(t.Context(), stream, nil, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
}

// No more are asked about at a time than the backlog has room for.
func TestTheBacklogBoundsHowManyAreAskedAbout(t *testing.T) {
	const backlog, clients = 3, 5
	path := socketPath(t)
	asked, release := make(chan struct{}, clients), make(chan struct{})
	l, err := tested.Listen(t.Context(), stream, path, transport.Options{Backlog: backlog, Authorize: func(cred.Credentials) error {
		asked <- struct{}{}
		<-release
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(10 * time.Second))
	accepted := make(chan error, clients)
	go func() {
		for range clients {
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
			accepted <- err
		}
	}()
	dialAll(t, path, backlog+1)
	for range backlog + 1 {
		<-asked
	}
	dialAll(t, path, clients-backlog-1)
	door := l.(*Listener).door
	door.mu.Lock()
	for door.taking { // it waits for the kernel, or for a moment
		door.mu.Unlock()
		runtime.Gosched()
		door.mu.Lock()
	}
	if n := len(door.asked); n != backlog+1 || len(asked) > 0 {
		t.Errorf("%d are asked about, and %d more; want %d", n, len(asked), backlog+1)
	}
	door.mu.Unlock()
	close(release)
	for range clients {
		if err := <-accepted; err != nil {
			t.Error(err)
		}
	}
}

// When no Accept waits, clients stay in the kernel's queue: another process that has the socket may
// accept them.
func TestAuthorizeLeavesClientsToOthers(t *testing.T) {
	path := socketPath(t)
	l, err := tested.Listen(t.Context(), stream, path, transport.Options{Authorize: unauthorized})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	var other *Listener
	if err := l.(*Listener).raw.Control(func(fd uintptr) { other, err = NewListener(fd) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dialAll(t, path, 1)
	other.SetDeadline(time.Now().Add(10 * time.Second))
	c, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
