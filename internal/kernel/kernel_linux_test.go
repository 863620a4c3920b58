package kernel

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// Row 102: a backlog of n takes n + 1 connections, and the next is EAGAIN.
func TestBacklog(t *testing.T) {
	for _, network := range []string{stream, packet} {
		const backlog = 2
		path := socketPath(t)
		l, err := tested.Listen(t.Context(), network, path, transport.Options{Backlog: backlog})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range backlog + 1 {
			c, err := tested.Dial(t.Context(), network, nil, path, nil)
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			defer c.Close()
		}
		if _, err := tested.Dial(t.Context(), network, nil, path, nil); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("%s: one more: %v; want EAGAIN", network, err)
		}
	}
}

// Nobody sees the socket file with a permission that is wider than the mode: what others see
// between bind and chmod is watched while many are made.
func TestModeIsNeverWiderThanAsked(t *testing.T) {
	path := socketPath(t)
	before := unix.Umask(0)
	defer unix.Umask(before)
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if info, err := os.Lstat(path); err == nil && info.Mode().Perm()&^0o600 != 0 {
				t.Errorf("seen with permission %o", info.Mode().Perm())
				return
			}
		}
	})
	for range 300 {
		for _, network := range []string{stream, dgram} {
			closeIt, err := listenAny(t, network, path, transport.Options{Mode: 0o600})
			if err != nil {
				t.Fatal(err)
			}
			closeIt()
			os.Remove(path)
		}
	}
	close(stop)
	watch.Wait()
}

// Names go to sendmsg, and come from recvmsg, as they are.
func TestDatagramNames(t *testing.T) {
	names := []string{
		socketPath(t),
		"@kernel test " + t.Name(),
		"@nul\x00inside " + t.Name(),   // package net cuts such a name: row 188
		"@" + strings.Repeat("x", 107), // the longest
		"",                             // the system chooses: row 81
	}
	for _, name := range names {
		from, err := tested.ListenPacket(t.Context(), dgram, name, transport.Options{})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		defer from.Close()
		to, err := tested.ListenPacket(t.Context(), dgram, "", transport.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		if _, err := from.Send([]byte("x"), nil, to.LocalAddr()); err != nil {
			t.Fatalf("from %q: %v", name, err)
		}
		buf := make([]byte, 10)
		m, err := to.Recv(buf, false)
		if err != nil || m.N != 1 || m.From == nil || name != "" && m.From.Name != name {
			t.Fatalf("from %q: %+v, %v", name, m, err)
		}
		if _, err := to.Send([]byte("back"), nil, m.From); err != nil {
			t.Fatalf("back to %q: %v", name, err)
		}
		if m, err := from.Recv(buf, false); string(buf[:m.N]) != "back" || err != nil {
			t.Errorf("back at %q: %q, %v", name, buf[:m.N], err)
		}
	}
	c, err := tested.ListenPacket(t.Context(), dgram, "", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{strings.Repeat("x", 108), "@" + strings.Repeat("x", 108)} {
		if _, err := c.Send(nil, nil, &net.UnixAddr{Name: name, Net: dgram}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d bytes: %v; want EINVAL", len(name), err)
		}
	}
}

// Rows 8, 38, 39, and what no kernel writes: a control block is only believed as far as it goes.
func TestParseControl(t *testing.T) {
	open := func() int {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	two := unix.UnixRights(open(), open())
	one := unix.UnixRights(open())
	creds := unix.UnixCredentials(&unix.Ucred{Pid: 1, Uid: 2, Gid: 3})
	long := append([]byte(nil), one...)
	long[0]++ // a length that goes beyond the end is no descriptor's
	long = long[:unix.CmsgLen(4)]
	short := append([]byte(nil), one...)
	short[0] = 15
	for _, test := range []struct {
		name   string
		block  []byte
		rights int
		creds  bool
	}{
		{"nothing", nil, 0, false},
		{"less than a header", one[:10], 0, false},
		{"length beyond the end", long, 0, false},
		{"length less than a header", short, 0, false},
		{"credentials only", creds, 0, true},
		{"credentials and two headers", append(append(append([]byte(nil), creds...), two...), one...), 3, true},
		{"no descriptor in it", unix.UnixRights(), 0, false},
	} {
		rights, c := parseControl(aligned(test.block))
		if rights.Len() != test.rights || (c != nil) != test.creds {
			t.Errorf("%s: %d descriptors, credentials %v", test.name, rights.Len(), c)
		}
		if c != nil && (c.PID != 1 || c.UID != 2 || c.GID != 3) {
			t.Errorf("%s: %+v", test.name, c)
		}
		if err := rights.Close(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// aligned copies b to where headers may be.
func aligned(b []byte) []byte {
	var block controlBlock
	return block.bytes()[:copy(block.bytes(), b)]
}

func TestEndOfAnotherTransportIsNotSendable(t *testing.T) {
	a, b, err := tested.Pair(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	_, err = a.Send([]byte("x"), []transport.File{{Value: 0}, {End: b}}, nil)
	var which *descriptor.IndexError
	if !errors.Is(err, descriptor.ErrNotSendable) || !errors.As(err, &which) || which.Index != 1 {
		t.Errorf("Send: %v", err)
	}
}

// The contract of package transport: no name is "", no peer is nil.
func TestAddressesOfUnnamedSockets(t *testing.T) {
	a, b, err := tested.Pair(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if l, r := a.LocalAddr(), a.RemoteAddr(); *l != (net.UnixAddr{Net: stream}) || *r != *l {
		t.Errorf("pair: %#v, %#v", l, r)
	}
	c, err := tested.ListenPacket(t.Context(), dgram, socketPath(t), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r := c.RemoteAddr(); r != nil {
		t.Errorf("unconnected: %#v", r)
	}
}

// O_NONBLOCK of a received socket is its sender's, too: Send and Recv never wait in the kernel,
// where no deadline would reach them.
func TestASocketThatIsMadeBlockingHeedsItsDeadline(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(c transport.Conn) error
	}{
		{"Recv", func(c transport.Conn) error {
			_, err := c.Recv(make([]byte, 1), false)
			return err
		}},
		{"Send", func(c transport.Conn) error {
			_, err := c.Send(make([]byte, 4<<20), nil, nil)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, err := tested.Pair(stream)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			withFD(t, a.(*Conn).c, func(fd uintptr) {
				if err := unix.SetNonblock(int(fd), false); err != nil {
					t.Fatal(err)
				}
			})
			a.SetDeadline(time.Now().Add(100 * time.Millisecond))
			stuck := time.AfterFunc(5*time.Second, func() { b.Close() })
			if err := tt.call(a); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
			}
			if stuck.Stop() {
				b.Close()
			}
		})
	}
}
