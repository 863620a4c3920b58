package linuxpipe

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// The process that hands a listener on decides whether the listener's socket blocks. Accept must
// not block, or Close could not end it.
func TestABlockingSocketThatWasHandedOnDoesNotBlock(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: t.TempDir() + "/s"}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	l, err := system.OpenSource([]uintptr{uintptr(fd)}, []byte("\x00/s"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	select {
	case err := <-done:
		if err != net.ErrClosed {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Accept is stuck")
	}
}

// A process that has handed an end on, and kept a duplicate, can make the end blocking afterwards,
// too.
func TestAnEndThatIsMadeBlockingDoesNotBlock(t *testing.T) {
	now := func(p *Pipe, into []byte) error {
		_, _, _, err := p.ReadNow(pool, into)
		return err
	}
	room := make([]byte, 100)
	for _, tt := range []struct {
		name  string
		known bool // the peer has said hello
		into  []byte
	}{
		{"hello", false, nil},
		{"packet", true, nil},
		{"placed", true, room},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := connected(t)
			if tt.known {
				client.Write([]byte("hello"), nil)
				packet(t, server)
				if _, _, err := server.Identify(nil); err != nil {
					t.Fatal(err)
				}
			}
			makeBlocking(t, server.raw)
			done := make(chan error, 1)
			go func() { done <- now(server, tt.into) }()
			if err := within(t, done, func() { client.Close() }); err != syscall.EAGAIN {
				t.Errorf("%v, want EAGAIN", err)
			}
		})
	}
	t.Run("listener", func(t *testing.T) {
		l := listen(t, filepath.Join(t.TempDir(), "s"))
		defer l.Close()
		dup := duplicateOf(t, l)
		received, err := system.OpenSource([]uintptr{dup}, []byte("\x00"+l.name))
		if err != nil {
			t.Fatal(err)
		}
		makeBlocking(t, l.raw)
		done := make(chan error, 1)
		go func() {
			_, err := received.Accept()
			done <- err
		}()
		time.AfterFunc(50*time.Millisecond, func() { received.Close() })
		if err := within(t, done, func() { unix.Shutdown(int(dup), unix.SHUT_RD) }); err != net.ErrClosed {
			t.Errorf("%v, want %v", err, net.ErrClosed)
		}
	})
}

// duplicateOf returns what another process would get of l.
func duplicateOf(t *testing.T, l *Listener) uintptr {
	t.Helper()
	var dup int
	var err error
	if l.raw.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }) != nil || err != nil {
		t.Fatal("cannot duplicate the listener: ", err)
	}
	return uintptr(dup)
}

// makeBlocking clears O_NONBLOCK.
func makeBlocking(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	var err error
	if raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), false) }) != nil || err != nil {
		t.Fatal("cannot make the socket blocking: ", err)
	}
}

// within returns what comes. If that is late, within fails, and unblocks the call that is stuck.
func within(t *testing.T, done <-chan error, unblock func()) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Error("a call is stuck")
		unblock()
		return <-done
	}
}

// The process that hands a listener on says the listener's path. It cannot make the receiver remove
// another file.
func TestAListenerThatWasHandedOnRemovesNoOtherFile(t *testing.T) {
	testenv.NeedSocketFile(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	other, err := system.Listen(at("other"), sock.Stream, pipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Symlink(at("own"), at("link"))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path  string
		stays bool
	}{
		{at("other"), true},
		{at("file"), true},
		{at("link"), true},
		{at("own"), false},
	} {
		os.Remove(at("own"))
		l := listen(t, at("own"))
		dup := duplicateOf(t, l)
		l.SetUnlinkOnClose(false)
		l.Close()
		received, err := system.OpenSource([]uintptr{dup}, []byte("\x01"+tt.path))
		if err != nil {
			t.Fatal(err)
		}
		received.Close()
		if _, err := os.Lstat(tt.path); (err == nil) != tt.stays {
			t.Errorf("%s: %v; should have stayed: %v", tt.path, err, tt.stays)
		}
	}
}
