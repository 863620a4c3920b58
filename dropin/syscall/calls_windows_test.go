package syscall

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// Functions take a Handle as well as an int, and handles of every kind.
func TestHandles(t *testing.T) {
	event, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Close(Handle(event)); err != nil {
		t.Error(err)
	}
	if err := Close(int(event)); err != EBADF {
		t.Errorf("Close of what is closed: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if n, err := Write(Handle(w.Fd()), []byte("x")); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n, err := Read(int(r.Fd()), make([]byte, 2)); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := Sendmsg(int(w.Fd()), []byte("x"), nil, nil, 0); err != ENOTSOCK {
		t.Errorf("Sendmsg over a pipe: %v", err)
	}
	if _, _, _, _, err := Recvmsg(4444444, nil, nil, 0); err != EBADF {
		t.Errorf("Recvmsg from nothing: %v", err)
	}
}

// A level is translated for Windows' own sockets.
func TestOptionsOfASocket(t *testing.T) {
	s, err := Socket(AF_INET, SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(s)
	if err := SetsockoptInt(s, SOL_SOCKET, SO_RCVBUF, 10000); err != nil {
		t.Error(err)
	}
	ours, err := GetsockoptInt(s, SOL_SOCKET, SO_RCVBUF)
	if err != nil {
		t.Error(err)
	}
	theirs, err := syscall.GetsockoptInt(s, syscall.SOL_SOCKET, SO_RCVBUF)
	if ours != theirs || err != nil {
		t.Errorf("%d, and package syscall says %d, %v", ours, theirs, err)
	}
	if err := Sendmsg(int(s), []byte("x"), nil, nil, 0); err != EOPNOTSUPP {
		t.Errorf("Sendmsg over TCP: %v", err)
	}
}

// The calls that only Windows has know ends, too.
func TestBareOptionsOfAnEnd(t *testing.T) {
	fds, err := Socketpair(AF_UNIX, SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fds[0])
	defer Close(fds[1])
	value := [4]byte{0x88, 0x13} // 5000
	if err := Setsockopt(Handle(fds[0]), SOL_SOCKET, SO_SNDBUF, &value[0], 4); err != nil {
		t.Error(err)
	}
	if err := Setsockopt(Handle(fds[0]), SOL_SOCKET, SO_SNDBUF, &value[0], 3); err != EINVAL {
		t.Errorf("three bytes: %v", err)
	}
	length := int32(2)
	if err := Getsockopt(Handle(fds[0]), SOL_SOCKET, SO_SNDBUF, &value[0], &length); err != nil || length != 2 || value[0] != 0x10 || value[1] != 0x27 {
		t.Errorf("%x, %d, %v", value, length, err)
	}
	if err := SetsockoptTimeval(Handle(fds[0]), SOL_SOCKET, SO_RCVTIMEO, &Timeval{Sec: 1}); err != nil {
		t.Error(err)
	}
	if err := SetsockoptLinger(Handle(fds[0]), SOL_SOCKET, SO_LINGER, &Linger{Onoff: 1}); err != nil {
		t.Error(err)
	}
}
