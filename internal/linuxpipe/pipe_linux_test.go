package linuxpipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// system is what is tested.
var system System

var pool = &sync.Pool{New: func() any { return new(pipe.Buffer) }}

// packet reads one packet and returns a copy of it.
func packet(t *testing.T, p *Pipe) []byte {
	t.Helper()
	buf, n, _, err := p.Read(pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Put(buf)
	return bytes.Clone(buf[:n])
}

func listen(t *testing.T, path string) *Listener {
	t.Helper()
	l, err := system.Listen(path, sock.Stream, pipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l.(*Listener)
}

// connected returns the two ends of a pipe between a listener and its client.
func connected(t *testing.T) (server, client *Pipe) {
	t.Helper()
	l := listen(t, filepath.Join(t.TempDir(), "s"))
	defer l.Close()
	c, err := system.Dial(t.Context(), l.name, "", sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); c.Close() })
	return s.(*Pipe), c.(*Pipe)
}

func TestPacketsArriveWhole(t *testing.T) {
	server, client := connected(t)
	for _, n := range []int{1, 16, pipe.MaxPacket} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		if err := client.Write(want[:1], want[1:]); err != nil {
			t.Fatal(err)
		}
		if got := packet(t, server); !bytes.Equal(got, want) {
			t.Errorf("packet of %d bytes came as %d", n, len(got))
		}
	}
	if err := client.Write(make([]byte, 16), make([]byte, 65537)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := server.Read(pool, nil); err != syscall.EMSGSIZE {
		t.Errorf("packet of 65,553 bytes: %v, want EMSGSIZE", err)
	}
}

func TestPayloadIsPlaced(t *testing.T) {
	server, client := connected(t)
	client.Write([]byte("a packet that opens the connection"), nil)
	packet(t, server)
	if _, _, err := server.Identify(nil); err != nil { // until then the kernel is asked who sends
		t.Fatal(err)
	}
	for _, tt := range []struct{ payload, room int }{{0, 10}, {4, 10}, {10, 10}, {11, 10}, {65536, 65536}, {65536, 70000}} {
		payload := make([]byte, tt.payload)
		for i := range payload {
			payload[i] = byte(i * 7)
		}
		head := []byte("0123456789abcdef")
		client.Write(head, payload)
		into := make([]byte, tt.room)
		buf, n, placed, err := server.Read(pool, into)
		if err != nil || n != len(head)+len(payload) {
			t.Fatalf("%+v: %d bytes, %v", tt, n, err)
		}
		if want := min(tt.payload, tt.room); placed != want {
			t.Errorf("%+v: placed %d", tt, placed)
		}
		copy(buf[len(head):], into[:placed])
		if !bytes.Equal(buf[:n], append(head, payload...)) {
			t.Errorf("%+v: not the packet", tt)
		}
		pool.Put(buf)
	}
}

func TestFullPipeIsEAGAINAndThenWritable(t *testing.T) {
	server, client := connected(t)
	written := 0
	var err error
	for ; written < 10000; written++ {
		if err = client.Write([]byte("packet"), nil); err != nil {
			break
		}
	}
	if err != syscall.EAGAIN {
		t.Fatalf("after %d packets: %v, want EAGAIN", written, err)
	}
	writable := make(chan error)
	go func() { writable <- client.WaitWritable() }()
	for range written {
		packet(t, server)
	}
	if err := <-writable; err != nil {
		t.Fatal(err)
	}
	if err := client.Write([]byte("packet"), nil); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptDrains(t *testing.T) {
	server, client := connected(t)
	client.Write([]byte("one"), nil)
	client.Write([]byte("two"), nil)
	server.Interrupt()
	for _, want := range []string{"one", "two"} {
		if got := packet(t, server); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for range 2 {
		if _, _, _, err := server.Read(pool, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("drained pipe: %v", err)
		}
	}
}

func TestInterruptWakesRead(t *testing.T) {
	server, _ := connected(t)
	done := make(chan error)
	go func() { _, _, _, err := server.Read(pool, nil); done <- err }()
	server.Interrupt()
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestCloseLeavesPacketsForThePeer(t *testing.T) {
	server, client := connected(t)
	server.Write([]byte("unread by the client"), nil)
	client.Write([]byte("one"), nil)
	client.Close() // with something unread: the kernel has an ECONNRESET for the server, which is not for its user
	if got := packet(t, server); string(got) != "one" {
		t.Errorf("got %q", got)
	}
	if _, _, _, err := server.Read(pool, nil); err != io.EOF {
		t.Errorf("after the last packet: %v, want EOF", err)
	}
	if err := server.Write([]byte("x"), nil); err != syscall.EPIPE {
		t.Errorf("write to a closed peer: %v, want EPIPE", err)
	}
}

// A peer sees at once that an end was hung up, though another process has a duplicate of the end.
// It reads what was written. It learns by whether the pipe is connected that nothing of its own
// will be read.
func TestHangupIsSeenThoughTheEndIsOpenElsewhere(t *testing.T) {
	server, client := connected(t)
	if !server.Connected() || !client.Connected() {
		t.Error("an open pipe is not connected")
	}
	var copied int
	var err error
	client.SyscallConn().Control(func(fd uintptr) { copied, err = unix.Dup(int(fd)) })
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(copied)
	client.Write([]byte("one"), nil)
	if err := client.Hangup(); err != nil {
		t.Error(err)
	}
	if server.Connected() || client.Connected() {
		t.Error("a pipe is connected that was hung up")
	}
	if err := server.Write([]byte("x"), nil); err != syscall.EPIPE {
		t.Errorf("write to a peer that has hung up: %v, want EPIPE", err)
	}
	if got := packet(t, server); string(got) != "one" {
		t.Errorf("got %q", got)
	}
	if _, _, _, err := server.Read(pool, nil); err != io.EOF {
		t.Errorf("after the last packet: %v, want EOF", err)
	}
	if err := client.Hangup(); err != net.ErrClosed {
		t.Errorf("second hangup: %v", err)
	}
}

// A pipe is connected, however full it is, until the other end is closed.
func TestConnectedUntilTheOtherEndIsClosed(t *testing.T) {
	server, client := connected(t)
	for server.Write(make([]byte, 1000), nil) == nil {
	}
	if !server.Connected() {
		t.Error("a full pipe is not connected")
	}
	client.Write([]byte("unread"), nil)
	client.Close()
	if server.Connected() {
		t.Error("connected to an end that is closed")
	}
}

func TestErrorsOfNames(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(at("file"), nil, 0o600)
	l, err := system.Listen(at("live"), sock.Stream, pipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stale, err := system.Listen(at("stale"), sock.Stream, pipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	defer l.Close()
	for path, want := range map[string]error{
		at("missing"):             syscall.ENOENT,
		at("file"):                syscall.ECONNREFUSED,
		at("stale"):               syscall.ECONNREFUSED,
		at("file/x"):              syscall.ENOTDIR,
		dir:                       syscall.ECONNREFUSED,
		string(make([]byte, 108)): syscall.EINVAL,
	} {
		if _, err := system.Dial(t.Context(), path, "", sock.Stream); err != want {
			t.Errorf("dial %.40q: %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]error{
		at("live"):  syscall.EADDRINUSE,
		at("stale"): syscall.EADDRINUSE,
		at("no/x"):  syscall.ENOENT,
	} {
		if _, err := system.Listen(path, sock.Stream, pipe.Options{}); err != want {
			t.Errorf("listen %q: %v, want %v", path, err, want)
		}
	}
}

func TestReadAndWriteAllocateNothing(t *testing.T) {
	if testenv.Race {
		t.Skip("the race detector makes sync.Pool forget")
	}
	server, client := connected(t)
	head, body := make([]byte, 16), make([]byte, 64)
	client.Write(head, body)
	pool.Put(must(server.Read(pool, nil)))
	if _, _, err := server.Identify(nil); err != nil { // until then the kernel is asked who sends
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		client.Write(head, body)
		buf, _, _, _ := server.Read(pool, nil)
		pool.Put(buf)
	}); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

func must(buf *pipe.Buffer, _, _ int, err error) *pipe.Buffer {
	if err != nil {
		panic(err)
	}
	return buf
}

// withoutRoom calls f while this process can open no descriptor.
func withoutRoom(t *testing.T, f func()) {
	t.Helper()
	restore, err := testenv.LeaveNoRoom()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := restore(); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}
