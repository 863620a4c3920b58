//go:build linux

package unix

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Types are the same types, and constants untyped.
var (
	_ *unix.SockaddrUnix = (*SockaddrUnix)(nil)
	_ Errno              = EINVAL
	_ uint8              = SOCK_STREAM
)

// Several buffers are one message, over whatever transport the pair is.
func TestBuffers(t *testing.T) {
	fds, err := Socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fds[0])
	defer Close(fds[1])
	rights := UnixRights(fds[0])
	if n, err := SendmsgBuffers(fds[1], [][]byte{[]byte("ab"), nil, []byte("cde")}, nil, nil, 0); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	one, two := make([]byte, 1), make([]byte, 10)
	n, oobn, flags, _, err := RecvmsgBuffers(fds[0], [][]byte{one, two}, make([]byte, len(rights)), 0)
	if n != 5 || oobn != 0 || flags&MSG_TRUNC != 0 || err != nil {
		t.Fatal(n, oobn, flags, err)
	}
	if got := string(one) + string(two[:4]); got != "abcde" {
		t.Errorf("%q", got)
	}
}

// What is no end is the system's.
func TestOtherDescriptors(t *testing.T) {
	if err := Sendmsg(-1, nil, nil, nil, 0); err != EBADF {
		t.Error(err)
	}
	if _, err := Read(1<<20, nil); err != EBADF {
		t.Error(err)
	}
	if err := Close(1 << 20); err != EBADF {
		t.Error(err)
	}
}
