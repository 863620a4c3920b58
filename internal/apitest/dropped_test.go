package apitest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// collect runs the collector until done, and fails the test if that takes long.
func collect(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// ended reports whether the peer of c is gone.
func ended(c *afunix.Conn, network string) func() bool {
	return func() bool {
		var err error
		if network == "unixgram" {
			_, err = c.Write([]byte("x"))
		} else {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err = c.Read(make([]byte, 1))
		}
		return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	}
}

func TestDroppedConnsAreClosedByTheCollector(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		var peers []*afunix.Conn
		for range 100 {
			a, b, err := tr.Pair(network)
			if err != nil {
				t.Fatal(err)
			}
			guard(t, a)
			if err := b.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			peers = append(peers, a)
		}
		for _, a := range peers {
			collect(t, "the other end is still open", ended(a, network))
		}
	})
}

// What was sent by an end that is dropped arrives, as after Close, and what nobody has read of it
// is closed.
func TestADroppedConnBehavesAsAClosedOne(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b, err := tr.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, a)
		kept, lost := testenv.NewWitness(t), testenv.NewWitness(t)
		mustWriteMsg(t, b, "sent", kept.W)
		mustWriteMsg(t, a, "unread", lost.W)
		b = nil
		lost.W.Close()
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			lost.R.Read(make([]byte, 1))
		}()
		collect(t, "the descriptor that nobody has read is still open", func() bool {
			select {
			case <-collected:
				return true
			default:
				return false
			}
		})
		mustReadMsg(t, a, "sent", 1).Rights.Close()
		kept.ExpectClosed(t)
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) { // there was something unread
			t.Errorf("after what was sent: %v; want ECONNRESET", err)
		}
	})
}

func TestDroppedListenersAreClosedByTheCollector(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		lc := &afunix.ListenConfig{Transport: tr, Authorize: func(afunix.Credentials) error { return nil }}
		if _, err := lc.Listen(t.Context(), network, path); err != nil {
			t.Fatal(err)
		}
		dial := &afunix.Dialer{Transport: tr}
		waiting, err := dial.DialContext(t.Context(), network, path)
		if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		if err == nil {
			guard(t, waiting)
			collect(t, "the client that nobody accepts is still connected", ended(waiting, network))
		}
		collect(t, "somebody listens still", func() bool {
			c, err := dial.DialContext(t.Context(), network, path)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the socket file: %v; it stays, as in package net", err)
		}
	})
}

// A datagram socket with a name receives until it is dropped.
func TestDroppedPacketConnsAreClosedByTheCollector(t *testing.T) {
	each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		lc := &afunix.ListenConfig{Transport: tr}
		if _, err := lc.ListenPacket(t.Context(), network, path); err != nil {
			t.Fatal(err)
		}
		dial := &afunix.Dialer{Transport: tr}
		collect(t, "somebody receives still", func() bool {
			c, err := dial.DialContext(t.Context(), network, path)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
	})
}

// A call that waits, and a RawConn, keep what they belong to.
func TestWhatIsUsedIsNotDropped(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		a, b, err := tr.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, a)
		read := make(chan error, 1)
		go func(b *afunix.Conn) {
			_, err := b.Read(make([]byte, 1))
			read <- err
		}(b)
		path := socketPath(t)
		l, err := (&afunix.ListenConfig{Transport: tr}).Listen(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func(l *afunix.Listener) {
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
			accepted <- err
		}(l)
		c, d, err := tr.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		raw, err := d.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		b, d, l = nil, nil, nil
		for range 10 {
			runtime.GC()
		}
		if _, err := a.Write([]byte("x")); err != nil {
			t.Error("Write to whoever reads:", err)
		}
		if err := <-read; err != nil {
			t.Error("Read:", err)
		}
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal("Dial of whoever accepts:", err)
		}
		client.Close()
		if err := <-accepted; err != nil {
			t.Error("Accept:", err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error("Write to what has a RawConn:", err)
		}
		if err := raw.Control(func(uintptr) {}); err != nil {
			t.Error("Control:", err)
		}
	})
}

// An end that waits for a child which nobody starts is dropped with its command, and not before.
func TestAttachedEndsAreClosedByTheCollector(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b, err := tr.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, a)
		cmd := child(t, "heir", "end")
		attach(t, b, cmd, "end")
		b = nil
		for range 10 {
			runtime.GC()
		}
		wait := runHeir(t, cmd)
		mustWriteMsg(t, a, "hello")
		mustReadMsg(t, a, "end: hello", 0)
		wait()
		cmd = nil
		collect(t, "the end is still open", func() bool {
			a.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := a.Read(make([]byte, 1))
			return err == io.EOF
		})

		a, b, err = tr.Pair(network)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, a)
		attach(t, b, exec.Command("never-started"), "end")
		b = nil
		collect(t, "the end is still open", ended(a, network))
	})
}
