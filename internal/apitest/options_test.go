package apitest

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"

	"afunix"
)

// What was set can be asked for, in the kernel's way of counting.
func TestSizesOfBuffers(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		sizesAreKept(t, tr, a)
	})
	t.Run("without a peer", func(t *testing.T) {
		each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
			c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			guard(t, c)
			sizesAreKept(t, tr, c)
		})
	})
}

func sizesAreKept(t *testing.T, tr afunix.Transport, c *afunix.Conn) {
	t.Helper()
	factor := 1
	if tr == afunix.PipeTransport || runtime.GOOS == "linux" {
		factor = 2
	}
	for _, size := range []int{5000, 100_000} {
		if err := errors.Join(c.SetWriteBuffer(size), c.SetReadBuffer(size)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.WriteBuffer(); got != factor*size || err != nil {
			t.Errorf("WriteBuffer after %d: %d, %v", size, got, err)
		}
		if got, err := c.ReadBuffer(); got != factor*size || err != nil {
			t.Errorf("ReadBuffer after %d: %d, %v", size, got, err)
		}
	}
}

// An error that nobody has been told is told once.
func TestPendingError(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("only Linux' kernel tells that something was unread")
	}
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		if err := a.PendingError(); err != nil {
			t.Error(err)
		}
		if _, err := a.Write([]byte("unread")); err != nil {
			t.Fatal(err)
		}
		b.Close()
		if err := a.PendingError(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want ECONNRESET", err)
		}
		if err := a.PendingError(); err != nil {
			t.Errorf("a second time: %v", err)
		}
	})
}

// The connections of a listener that passes credentials do so, from the first message on.
func TestPassCredentialsOfAListener(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		l := listen(t, tr, network, path)
		if err := l.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, client)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		server, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		if _, err := client.Write([]byte("x")); err != nil { // it was not told to
			t.Fatal(err)
		}
		if on, err := server.PassCredentials(); !on || err != nil {
			t.Errorf("PassCredentials: %v, %v", on, err)
		}
		for range 2 {
			m, err := server.ReadMsg(make([]byte, 1))
			if err != nil || m.Credentials == nil || !m.Credentials.SameUser() {
				t.Errorf("%+v, %v", m.Credentials, err)
			}
		}
	})
}

// … and whatever else is set afterwards.
func TestPassCredentialsOfAListenerLast(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		l := listen(t, tr, network, path)
		if err := l.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, client)
		server, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		if err := server.SetWriteBuffer(1 << 16); err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, server, "set") // what the client hears of that comes before this
		mustReadMsg(t, client, "set", 0)
		mustWriteMsg(t, client, "x")
		if m := mustReadMsg(t, server, "x", 0); m.Credentials == nil || !m.Credentials.SameUser() {
			t.Errorf("Credentials = %+v; want mine", m.Credentials)
		}
	})
}

func TestOptionsOfWhatIsClosed(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		a.Close()
		_, read := a.ReadBuffer()
		_, write := a.WriteBuffer()
		for what, err := range map[string]error{"ReadBuffer": read, "WriteBuffer": write, "PendingError": a.PendingError()} {
			var op *net.OpError
			if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
