//go:build linux || windows

package net_test

import (
	"errors"
	"os"
	"testing"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testenv"
)

func TestPeerCredentials(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		client, server := connect(t, network)
		for _, c := range []*net.UnixConn{client, server} {
			control(t, c, func(fd int) {
				u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
				if err != nil || int(u.Pid) != os.Getpid() || u.Uid != uint32(os.Getuid()) || u.Gid != uint32(os.Getgid()) {
					t.Errorf("%+v, %v", u, err)
				}
			})
		}
	})
}

// Credentials come before descriptors (row 22), and are not put where there is no room.
func TestPassCredentials(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		control(t, b, func(fd int) {
			if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1); err != nil {
				t.Error(err)
			}
			if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PASSCRED); on != 1 || err != nil {
				t.Error(on, err)
			}
			if typ, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); typ != types[network] || err != nil {
				t.Error(typ, err)
			}
		})
		f := testenv.TempFile(t, "hello")
		own := &syscall.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
		send := append(syscall.UnixCredentials(own), syscall.UnixRights(int(f.Fd()))...)
		if _, _, err := a.WriteMsgUnix([]byte("x"), send, nil); err != nil {
			t.Fatal(err)
		}
		oob := make([]byte, syscall.CmsgSpace(syscall.SizeofUcred)+syscall.CmsgSpace(4))
		_, oobn, flags, _, err := b.ReadMsgUnix(make([]byte, 1), oob)
		if flags&syscall.MSG_CTRUNC != 0 || err != nil {
			t.Fatal(flags, err)
		}
		msgs, err := syscall.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(msgs) != 2 {
			t.Fatal(len(msgs), err)
		}
		u, err := syscall.ParseUnixCredentials(&msgs[0])
		if err != nil || *u != *own {
			t.Errorf("%+v, %v; want %+v", u, err, own)
		}
		fds, err := syscall.ParseUnixRights(&msgs[1])
		if err != nil || len(fds) != 1 {
			t.Fatal(fds, err)
		}
		expectFile(t, fds[0], "hello")

		if _, err := a.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		n, oobn, flags, _, err := b.ReadMsgUnix(make([]byte, 1), nil)
		if n != 1 || oobn != 0 || flags&syscall.MSG_CTRUNC == 0 || err != nil {
			t.Error(n, oobn, flags, err)
		}
	})
}

// Nobody but root says that it is somebody else, and over pipes not even root: the receiver is told
// what the system knows.
func TestFalseCredentials(t *testing.T) {
	if !overPipe && os.Getuid() == 0 {
		t.Skip("the kernel believes root")
	}
	a, _ := connPair(t, "unix")
	false := &syscall.Ucred{Pid: 1, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	if _, _, err := a.WriteMsgUnix([]byte("x"), syscall.UnixCredentials(false), nil); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
}

// A descriptor says whether it listens, and of what type it is: so do programs tell what they have
// been given.
func TestWhatADescriptorIs(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		path := socketPath(t)
		l := listen(t, network, path)
		c, err := net.Dial(network, path)
		if err != nil {
			t.Fatal(err)
		}
		for listens, of := range []syscall.Conn{guard(t, c), l} {
			control(t, of, func(fd int) {
				if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); got != listens || err != nil {
					t.Errorf("SO_ACCEPTCONN is %d, %v; want %d", got, err, listens)
				}
				if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); got != types[network] || err != nil {
					t.Errorf("SO_TYPE is %d, %v; want %d", got, err, types[network])
				}
			})
		}
	})
}
