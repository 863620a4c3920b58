package net_test

import (
	"errors"
	stdnet "net"
	"os"
	"runtime"
	stdsyscall "syscall"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/internal/testenv"
)

// The shapes of errors are those of package net: its own, of the same call, is what ours is held
// against.
func TestShapesOfErrors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package net has other errors on Windows")
	}
	path := socketPath(t)
	nothing := &net.UnixAddr{Name: path, Net: "unix"}
	closed := testenv.TempFile(t, "hello")
	closed.Close()
	for name, calls := range map[string][2]func() error{
		"Dial of nothing": {
			func() error { _, err := net.Dial("unix", path); return err },
			func() error { _, err := stdnet.Dial("unix", path); return err },
		},
		"Dial without an address": {
			func() error { _, err := net.Dial("unix", ""); return err },
			func() error { _, err := stdnet.Dial("unix", ""); return err },
		},
		"DialUnix of nothing": {
			func() error { _, err := net.DialUnix("unix", nil, nothing); return err },
			func() error { _, err := stdnet.DialUnix("unix", nil, nothing); return err },
		},
		"DialUnix of another network": {
			func() error { _, err := net.DialUnix("tcp", nil, nothing); return err },
			func() error { _, err := stdnet.DialUnix("tcp", nil, nothing); return err },
		},
		"DialUnix without an address": {
			func() error { _, err := net.DialUnix("unix", nil, nil); return err },
			func() error { _, err := stdnet.DialUnix("unix", nil, nil); return err },
		},
		"Dial of another network": {
			func() error { _, err := net.Dial("unixx", path); return err },
			func() error { _, err := stdnet.Dial("unixx", path); return err },
		},
		"Listen without a folder": {
			func() error { _, err := net.Listen("unix", path+"/x/y"); return err },
			func() error { _, err := stdnet.Listen("unix", path+"/x/y"); return err },
		},
		"ListenUnix without an address": {
			func() error { _, err := net.ListenUnix("unix", nil); return err },
			func() error { _, err := stdnet.ListenUnix("unix", nil); return err },
		},
		"ListenUnixgram without an address": {
			func() error { _, err := net.ListenUnixgram("unixgram", nil); return err },
			func() error { _, err := stdnet.ListenUnixgram("unixgram", nil); return err },
		},
		"ListenUnixgram of streams": {
			func() error { _, err := net.ListenUnixgram("unix", nothing); return err },
			func() error { _, err := stdnet.ListenUnixgram("unix", nothing); return err },
		},
		"FileConn of what is closed": {
			func() error { _, err := net.FileConn(closed); return err },
			func() error { _, err := stdnet.FileConn(closed); return err },
		},
		"SetDeadline of a closed listener": {
			func() error { return closedListener(t).SetDeadline(time.Now()) },
			func() error { return closedStdListener(t).SetDeadline(time.Now()) },
		},
		"raw read of a listener": {
			func() error { return rawRead(t, closedListener(t)) },
			func() error { return rawRead(t, closedStdListener(t)) },
		},
		"Close of nothing": {
			func() error { return new(net.UnixConn).Close() },
			func() error { return new(stdnet.UnixConn).Close() },
		},
		"WriteMsgUnix of nothing": {
			func() error { _, _, err := new(net.UnixConn).WriteMsgUnix(nil, nil, nil); return err },
			func() error { _, _, err := new(stdnet.UnixConn).WriteMsgUnix(nil, nil, nil); return err },
		},
	} {
		t.Run(name, func(t *testing.T) { sameShape(t, calls[0](), calls[1]()) })
	}
}

func closedListener(t *testing.T) *net.UnixListener {
	l := listen(t, "unix", socketPath(t))
	l.Close()
	return l
}

func closedStdListener(t *testing.T) *stdnet.UnixListener {
	l, err := stdnet.Listen("unix", socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.(*stdnet.UnixListener)
}

// rawRead calls the Read of a raw connection.
func rawRead(t *testing.T, c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw.Read(func(uintptr) bool { return true })
}

func rawWrite(t *testing.T, c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw.Write(func(uintptr) bool { return true })
}

// On a connection, too.
func TestShapesOfErrorsOfConnections(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package net has no Unix sockets of all types on Windows")
	}
	each(t, all, func(t *testing.T, network string) {
		addr := &net.UnixAddr{Name: "/x", Net: network}
		other := &net.UnixAddr{Name: "/x", Net: "other"}
		for name, call := range map[string]func(c unixConn) error{
			"WriteToUnix":     func(c unixConn) error { _, err := c.WriteToUnix([]byte("x"), addr); return err },
			"WriteToUnix nil": func(c unixConn) error { _, err := c.WriteToUnix([]byte("x"), nil); return err },
			"WriteTo TCP":     func(c unixConn) error { _, err := c.WriteTo([]byte("x"), &net.TCPAddr{}); return err },
			"WriteMsgUnix":    func(c unixConn) error { _, _, err := c.WriteMsgUnix([]byte("x"), nil, other); return err },
			"WriteMsgUnix bad fd": func(c unixConn) error {
				_, _, err := c.WriteMsgUnix([]byte("x"), syscall.UnixRights(-1), nil)
				return err
			},
			"WriteMsgUnix too many": func(c unixConn) error {
				_, _, err := c.WriteMsgUnix([]byte("x"), syscall.UnixRights(many(254, 0)...), nil)
				return err
			},
			"Read after a deadline": func(c unixConn) error {
				c.SetReadDeadline(time.Unix(1, 0))
				_, err := c.Read(make([]byte, 1))
				return err
			},
			"Write after a deadline": func(c unixConn) error {
				c.SetWriteDeadline(time.Unix(1, 0))
				_, err := c.Write(make([]byte, 1))
				return err
			},
			"Read of what is closed": func(c unixConn) error { c.Close(); _, err := c.Read(make([]byte, 1)); return err },
			"WriteToUnix of what is closed": func(c unixConn) error {
				c.Close()
				_, err := c.WriteToUnix([]byte("x"), addr)
				return err
			},
			"WriteToUnix after a deadline": func(c unixConn) error {
				c.SetWriteDeadline(time.Unix(1, 0))
				_, err := c.WriteToUnix([]byte("x"), addr)
				return err
			},
			"WriteMsgUnix without a length": func(c unixConn) error {
				_, _, err := c.WriteMsgUnix([]byte("x"), make([]byte, syscall.CmsgLen(0)), nil)
				return err
			},
			"ReadMsgUnix into nothing": func(c unixConn) error {
				c.CloseRead() // or it would wait
				_, _, _, _, err := c.ReadMsgUnix(nil, nil)
				return err
			},
			"raw read after a deadline": func(c unixConn) error { c.SetReadDeadline(time.Unix(1, 0)); return rawRead(t, c) },
			"raw write after a deadline": func(c unixConn) error {
				c.SetWriteDeadline(time.Unix(1, 0))
				return rawWrite(t, c)
			},
			"raw read of what is closed":  func(c unixConn) error { c.Close(); return rawRead(t, c) },
			"raw write of what is closed": func(c unixConn) error { c.Close(); return rawWrite(t, c) },
		} {
			t.Run(name, func(t *testing.T) {
				switch {
				case network == "unixgram" && name == "WriteToUnix" && overPipe:
					t.Skip("a datagram socket of a pair has no way to another")
				case network == "unixgram" && name == "ReadMsgUnix into nothing":
					t.Skip("it waits")
				}
				ours, _ := connPair(t, network)
				sameShape(t, call(ours), call(stdConn(t, network)))
			})
		}
	})
}

type unixConn interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
	WriteTo([]byte, net.Addr) (int, error)
	WriteToUnix([]byte, *net.UnixAddr) (int, error)
	WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
}

// sameShape compares errors down to the errno.
func sameShape(t *testing.T, ours, theirs error) {
	t.Helper()
	if ours == nil && theirs == nil {
		return
	}
	if ours == nil || theirs == nil {
		t.Fatalf("%v, and package net's: %v", ours, theirs)
	}
	if ours.Error() != theirs.Error() {
		t.Errorf("%q, and package net's: %q", ours, theirs)
	}
	var a, b *net.OpError
	if errors.As(ours, &a) != errors.As(theirs, &b) {
		t.Fatalf("%#v, and package net's: %#v", ours, theirs)
	}
	var x, y stdsyscall.Errno
	if errors.As(ours, &x) != errors.As(theirs, &y) || x != y {
		t.Errorf("%#v, and package net's: %#v", a.Err, b.Err)
	}
	for _, is := range []error{os.ErrDeadlineExceeded, net.ErrClosed, net.ErrWriteToConnected} {
		if errors.Is(ours, is) != errors.Is(theirs, is) {
			t.Errorf("%q, and package net's: %q: is %v?", ours, theirs, is)
		}
	}
}
