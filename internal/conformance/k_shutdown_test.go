package conformance

import (
	"io"
	"net"
	"syscall"
	"testing"
)

func TestRow151(t *testing.T) {
	each(t, "sq", func(e *env) {
		a, b := e.pair()
		e.send(a, "rest")
		e.check(a.CloseWrite())
		e.fails(second(a.Write([]byte("x"))), syscall.EPIPE)
		e.recv(b, 9, "rest", 0)
		e.ends(b)
		e.ends(b)
		e.send(b, "back")
		e.recv(a, 9, "back", 0)
	})
}

func TestRow152(t *testing.T) {
	each(t, "sq", func(e *env) {
		a, b := e.pair()
		e.send(a, "queued")
		e.check(b.CloseRead())
		e.fails(second(a.Write([]byte("x"))), syscall.EPIPE)
		e.recv(b, 9, "queued", 0)
		e.ends(b)
		e.send(b, "on")
		e.recv(a, 9, "on", 0)
		e.blocksReading(a)
	})
}

func TestRow153(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.send(a, "to b")
		e.send(b, "to a")
		e.arrives(a, "to a")
		e.arrives(b, "to b")
		for range 2 {
			e.check(a.CloseRead())
			e.check(a.CloseWrite())
			e.check(b.CloseRead())
			e.check(b.CloseWrite())
		}
		e.recv(a, 9, "to a", 0)
		e.recv(b, 9, "to b", 0)
		if !e.datagram() {
			e.ends(a)
			e.ends(b)
		}
	})
}

func TestRow154(t *testing.T) {
	each(t, "sq", func(e *env) {
		a, b := e.pair()
		e.send(b, "unread")
		e.send(a, "first")
		e.check(a.Close())
		if e.seqpacket() { // the kernel says so at once, before what is queued
			e.fails(second(b.Read(make([]byte, 9))), syscall.ECONNRESET)
			e.recv(b, 9, "first", 0)
			e.ends(b)
			return
		}
		e.recv(b, 9, "first", 0)
		e.fails(second(b.Read(make([]byte, 9))), syscall.ECONNRESET)
		e.ends(b)
		e.fails(second(b.Write([]byte("x"))), syscall.EPIPE)
	})
}

func TestRow157(t *testing.T) {
	each(t, "sq", func(e *env) {
		a, b := e.pair()
		e.check(a.Close())
		e.ends(b)
		e.fails(second(b.Write([]byte("x"))), syscall.EPIPE)
		e.fails(second(b.Write(nil)), syscall.EPIPE)
	})
}

func TestRow160(t *testing.T) { notObservable(t, "no call sets SO_LINGER") }

func TestRow161(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		a, b := e.pair()
		x, y := e.pair()
		e.send(a, "x", x)
		c := e.received(e.recv(b, 9, "x", 1).Rights, 0)
		if e.pipe() {
			e.fails(x.Close(), net.ErrClosed)
			e.blocksReading(y)
			e.check(c.Close())
			e.ends(y)
			e.differs("an end that was passed has moved: there is one copy, and the end comes after that")
		}
		e.check(x.Close())
		e.blocksReading(y)
		e.check(c.Close())
		if n, err := y.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			e.Errorf("%d, %v; want the end", n, err)
		}
	})
}
