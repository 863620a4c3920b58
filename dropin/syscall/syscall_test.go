package syscall

import (
	"slices"
	"syscall"
	"testing"
)

// Constants are untyped where those of package syscall are: these are conversions to what they are
// no constants of.
var (
	_ uint8 = SOCK_STREAM
	_ int64 = O_RDWR
	_ Errno = EINVAL
)

// Types are the same types.
var (
	_ *syscall.SockaddrUnix = (*SockaddrUnix)(nil)
	_ syscall.Sockaddr      = Sockaddr(nil)
	_ *syscall.SysProcAttr  = (*SysProcAttr)(nil)
)

func TestForkLockIsTheOne(t *testing.T) {
	if ForkLock != &syscall.ForkLock {
		t.Error("it is another lock")
	}
}

// A function that takes an address as a number is told of it as the original is: what is there does
// not move (go:uintptrescapes).
func TestFunctionsAreThoseOfSyscall(t *testing.T) {
	if Getpid() != syscall.Getpid() {
		t.Error("another process")
	}
	if _, err := ByteSliceFromString("a\x00b"); err != EINVAL {
		t.Error(err)
	}
}

func TestRights(t *testing.T) {
	b := append(UnixRights(1, 2), UnixRights()...)
	msgs, err := ParseSocketControlMessage(append(b, UnixRights(3)...))
	if err != nil || len(msgs) != 3 {
		t.Fatal(len(msgs), err)
	}
	for i, want := range [][]int{{1, 2}, {}, {3}} {
		if got, err := ParseUnixRights(&msgs[i]); !slices.Equal(got, want) || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
		if int(msgs[i].Header.Len) != CmsgLen(4*len(want)) || int(msgs[i].Header.Level) != SOL_SOCKET || int(msgs[i].Header.Type) != SCM_RIGHTS {
			t.Errorf("%+v", msgs[i].Header)
		}
	}
	if _, err := ParseSocketControlMessage(b[:CmsgLen(4)]); err != EINVAL {
		t.Error(err)
	}
	msgs[0].Header.Type++
	if _, err := ParseUnixRights(&msgs[0]); err != EINVAL {
		t.Error(err)
	}
}

func TestSocketpairOfOtherKinds(t *testing.T) {
	for _, test := range []struct {
		domain, typ, proto int
		want               error
	}{
		{AF_INET, SOCK_STREAM, 0, nil}, // the system's own answer
		{AF_UNIX, 77, 0, nil},
		{AF_UNIX, SOCK_STREAM, 77, EPROTONOSUPPORT},
	} {
		fds, err := Socketpair(test.domain, test.typ, test.proto)
		if err == nil {
			Close(fds[0])
			Close(fds[1])
			t.Errorf("%+v: no error", test)
		} else if test.want != nil && err != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
