package conformance

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"afunix"
)

func TestRow134(t *testing.T) {
	each(t, "s", func(e *env) {
		a, b := e.pair()
		e.send(a, "ab")
		e.send(a, "cd")
		e.arrives(b, "abcd")
		e.peek(b, 9, "abcd", 0)
		e.recv(b, 3, "abc", 0)
		e.recv(b, 3, "d", 0)
	})
}

func TestRow135(t *testing.T) {
	each(t, "s", func(e *env) {
		a, b := e.pair()
		e.send(a, "abcd")
		if m := e.peek(b, 0, "", 0); m.Truncated {
			e.Error("truncated")
		}
		if m := e.recv(b, 2, "ab", 0); m.Truncated {
			e.Error("truncated")
		}
		e.recv(b, 9, "cd", 0)
	})
}

func TestRow138(t *testing.T) {
	each(t, "s", func(e *env) {
		a, b := e.pair()
		if n, err := a.Write(nil); n != 0 || err != nil {
			e.Errorf("%d, %v", n, err)
		}
		e.blocksReading(b)
		e.hangUp(b, a)
		e.fails(second(a.Write(nil)), syscall.EPIPE)
	})
}

func TestRow139(t *testing.T) { notObservable(t, "no call asks for MSG_WAITALL") }

// part writes until the deadline has come, which on a slow machine may be before anything was
// written.
func (e *env) part(c *afunix.Conn, data []byte) (n int, err error) {
	for limit := moment; n == 0 && limit < patience; limit *= 2 {
		e.check(c.SetWriteDeadline(time.Now().Add(limit)))
		n, err = c.Write(data)
	}
	return n, err
}

func TestRow145(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		if e.stream() {
			n, err := e.part(a, make([]byte, 10<<20))
			if n == 0 || n == 10<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
				e.Errorf("Write = %d, %v; want a part", n, err)
			}
			if m, err := a.Write([]byte("x")); m != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				e.Errorf("Write = %d, %v", m, err)
			}
			got := 0
			for buf := make([]byte, 1<<16); got < n; {
				m, err := b.Read(buf)
				e.check(err)
				got += m
			}
			if got != n {
				e.Errorf("%d bytes came; %d were written", got, n)
			}
		} else {
			e.fill(a, long(5000))
		}
		e.blocksReading(a)
		e.check(a.SetReadDeadline(time.Now().Add(-time.Second)))
		e.fails(second(a.Read(make([]byte, 1))), os.ErrDeadlineExceeded)
	})
}

// Go refuses an address for a socket that is connected, whatever the type.
func TestRow147(t *testing.T) {
	each(t, "sq", func(e *env) {
		a, _ := e.connect()
		e.fails(second(a.WriteMsgTo([]byte("x"), e.addr(e.path()))), net.ErrWriteToConnected)
	})
}

func TestRow148(t *testing.T) {
	notObservable(t, "every Conn of these types is connected, and a Listener has no data")
}
