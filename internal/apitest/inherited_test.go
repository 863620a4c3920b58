package apitest

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// eachKernel is each for the kernel transport alone.
func eachKernel(t *testing.T, networks []string, f func(t *testing.T, network string)) {
	each(t, networks, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.KernelTransport {
			t.Skip("an end of the pipe transport is no file")
		}
		f(t, network)
	})
}

// What comes of a file is a connection with everything, and as good as the original.
func TestFileConn(t *testing.T) {
	eachKernel(t, all, func(t *testing.T, network string) {
		a, b := pair(t, afunix.KernelTransport, network)
		f, err := a.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if want := network + ":@->@"; f.Name() != want {
			t.Errorf("the file is called %q, want %q", f.Name(), want)
		}
		c, err := afunix.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		if c.LocalAddr().String() != a.LocalAddr().String() || c.LocalAddr().Network() != network || c.RemoteAddr().String() != a.RemoteAddr().String() {
			t.Errorf("%v → %v; want %v → %v", c.LocalAddr(), c.RemoteAddr(), a.LocalAddr(), a.RemoteAddr())
		}
		want, wantErr := a.PeerCredentials()
		if got, err := c.PeerCredentials(); got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("the peer is %v, %v; want %v, %v", got, err, want, wantErr)
		}
		a.Close()
		mustWriteMsg(t, c, "x", testenv.TempFile(t, "text"))
		mustReadMsg(t, b, "x", 1)
		mustWriteMsg(t, b, "y", testenv.TempFile(t, "text"))
		mustReadMsg(t, c, "y", 1)
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline: %v", err)
		}
		c.Close()
		again, err := afunix.FileConn(f) // which c was a copy of
		if err != nil {
			t.Fatal(err)
		}
		guard(t, again)
		mustWriteMsg(t, again, "z")
		mustReadMsg(t, b, "z", 0)
	})
}

func TestFilePacketConn(t *testing.T) {
	eachKernel(t, all, func(t *testing.T, network string) {
		a, b := pair(t, afunix.KernelTransport, network)
		f, err := a.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c, err := afunix.FilePacketConn(f)
		if network != "unixgram" {
			if err == nil {
				t.Errorf("a socket of %s is %v", network, c)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		mustWriteMsg(t, b, "x")
		mustReadMsg(t, c, "x", 0)
	})
}

// The socket file is not the copy's; unless it is told so.
func TestFileListener(t *testing.T) {
	eachKernel(t, listened, func(t *testing.T, network string) {
		testenv.NeedSocketFile(t) // for SetUnlinkOnClose(true)
		path := socketPath(t)
		l := listen(t, afunix.KernelTransport, network, path)
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if want := network + ":" + path + "->"; f.Name() != want {
			t.Errorf("the file is called %q, want %q", f.Name(), want)
		}
		for _, unlink := range []bool{false, true} {
			c, err := afunix.FileListener(f)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.Addr(); got.String() != path || got.Network() != network {
				t.Errorf("it listens at %v, want %s", got, path)
			}
			if err := dialAttempt(t, afunix.KernelTransport, network, path); err != nil {
				t.Error(err)
			}
			c.SetDeadline(time.Now().Add(patience))
			client, err := c.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			client.Close()
			if unlink {
				c.SetUnlinkOnClose(true)
			}
			c.Close()
			expectFile(t, path, !unlink)
		}
	})
}

// An end of the pipe transport is no file, and the error says what there is instead.
func TestNoFileOfAnEnd(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("the kernel's sockets are files")
		}
		a, b := pair(t, tr, network)
		l := listen(t, tr, network, socketPath(t))
		_, err := a.File()
		_, lerr := l.File()
		for _, err := range []error{err, lerr} {
			var op *net.OpError
			if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &op) || op.Op != "file" {
				t.Errorf("%v; want errors.ErrUnsupported", err)
			}
		}
		mustWriteMsg(t, a, "x")
		mustReadMsg(t, b, "x", 0)
	})
}

// A file of another kind is an error that says what it is; it stays open.
func TestFileConnOfSomethingElse(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	closed := testenv.TempFile(t, "")
	closed.Close()
	files := map[string]*os.File{"a pipe": r, "a file": testenv.TempFile(t, "text"), "closed": closed, "nil": nil}
	if l, err := afunix.Listen("unix", socketPath(t)); err == nil {
		defer l.Close()
		if f, err := l.File(); err == nil {
			defer f.Close()
			files["a listener"] = f
		}
	}
	for name, f := range files {
		_, connErr := afunix.FileConn(f)
		_, packetErr := afunix.FilePacketConn(f)
		_, listenErr := afunix.FileListener(f)
		if name == "a listener" {
			listenErr = connErr
		}
		for call, err := range map[string]error{"FileConn": connErr, "FilePacketConn": packetErr, "FileListener": listenErr} {
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "file" {
				t.Errorf("%s of %s: %v; want a *net.OpError", call, name, err)
			}
			if name == "closed" && !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s of a closed file: %v; want os.ErrClosed", call, err)
			}
			if name == "nil" && !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s of nil: %v; want fs.ErrInvalid", call, err)
			}
		}
		if name == "a file" {
			if b := make([]byte, 4); string(b[:must(f.Read(b))]) != "text" {
				t.Error("the file has changed")
			}
		}
	}
}

func must(n int, err error) int {
	if err != nil {
		return 0
	}
	return n
}

// What has been closed has no file any more.
func TestFileOfWhatIsClosed(t *testing.T) {
	eachKernel(t, streams, func(t *testing.T, network string) {
		a, _ := pair(t, afunix.KernelTransport, network)
		l := listen(t, afunix.KernelTransport, network, socketPath(t))
		a.Close()
		l.Close()
		_, err := a.File()
		_, lerr := l.File()
		if !errors.Is(err, net.ErrClosed) || !errors.Is(lerr, net.ErrClosed) {
			t.Errorf("%v, %v; want net.ErrClosed", err, lerr)
		}
	})
}
