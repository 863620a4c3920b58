package conformance

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"afunix"
)

func init() { children["send and end"] = sendAndEnd }

func TestRow051(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		path := e.path()
		if e.datagram() {
			c := e.listenPacket(path)
			e.run(e.child("send and end", path))
			r := e.recv(c, 9, "x", 1).Rights
			e.fileWorks(r)
			return
		}
		l := e.listen(path)
		e.run(e.child("send and end", path))
		e.fileWorks(e.recv(e.accept(l), 9, "x", 1).Rights)
	})
}

func (e *env) fileWorks(r afunix.Rights) {
	e.Helper()
	f, err := r.File(0)
	e.check(err)
	defer f.Close()
	e.check(second(f.Stat()))
}

// sendAndEnd sends a file and ends before anybody has received it.
func sendAndEnd(e childEnv) error {
	c, err := e.dial()
	if err != nil {
		return err
	}
	f, err := openSelf()
	if err != nil {
		return err
	}
	_, err = c.WriteMsg([]byte("x"), f)
	return err
}

func TestRow052(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w)
		e.check(b.Close())
		w.released()
	})
}

// received takes a passed socket.
func (e *env) received(r afunix.Rights, i int) *afunix.Conn {
	e.Helper()
	c, err := r.Conn(i)
	e.check(err)
	return e.closing(c.(*afunix.Conn), nil)
}

func TestRow054(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.send(a, "self", a)
		e.check(ignoreClosed(a.Close()))
		c := e.received(e.recv(b, 9, "self", 1).Rights, 0)
		e.send(c, "there")
		e.recv(b, 9, "there", 0)
		e.send(b, "back")
		e.recv(c, 9, "back", 0)
	})
}

// ignoreClosed lets an end be closed that has moved.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func TestRow055(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w)
		e.send(a, "y", b)
		e.check(ignoreClosed(b.Close()))
		e.check(a.Close())
		w.released()
	})
}

func TestRow056(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		l := e.listen(e.path())
		c := e.dial(l.Addr().String())
		w := e.witness()
		e.send(c, "x", l, w.w)
		e.check(ignoreClosed(l.Close()))
		e.check(c.Close())
		w.released()
	})
}

func TestRow057(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		a, b := e.pair()
		l := e.listen(e.path())
		l.SetUnlinkOnClose(false)
		early := e.dial(l.Addr().String())
		e.send(early, "waiting")
		e.send(a, "l", l)
		e.check(ignoreClosed(l.Close()))
		late := e.dial(l.Addr().String()) // into the backlog of one that is in flight
		e.send(late, "late")
		r := e.recv(b, 9, "l", 1).Rights
		got, err := r.Listener(0)
		e.check(err)
		defer got.Close()
		for _, want := range []string{"waiting", "late"} {
			c := e.accept(got.(*afunix.Listener))
			e.recv(c, 9, want, 0)
		}
	})
}

func TestRow059(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		l := e.listen(e.path())
		c := e.dial(l.Addr().String())
		w := e.witness()
		e.send(c, "x", w.w)
		e.check(l.Close())
		w.released()
	})
}

func TestRow060(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		x, _ := e.pair()
		e.send(a, "x", x)
		c := e.received(e.recv(b, 9, "x", 1).Rights, 0)
		if e.pipe() {
			e.fails(second(x.Write([]byte("x"))), net.ErrClosed)
			e.check(c.CloseWrite())
			e.differs("an end that was passed has moved: there is no original that could notice")
		}
		e.check(c.SetWriteBuffer(10000))
		if n, err := x.WriteBuffer(); n != 20000 || err != nil {
			e.Errorf("SO_SNDBUF of the original is %d, %v", n, err)
		}
		e.check(c.CloseWrite())
		e.fails(second(x.Write([]byte("x"))), syscall.EPIPE)
	})
}

func TestRow062(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		for _, discarded := range []bool{false, true} {
			a, b := e.pair()
			x, y := e.pair()
			e.send(a, "x", x)
			e.check(ignoreClosed(x.Close()))
			e.blocksReading(y)
			if discarded {
				e.read(b, 9, "x")
			} else {
				c := e.received(e.recv(b, 9, "x", 1).Rights, 0)
				e.blocksReading(y)
				e.check(c.Close())
			}
			if n, err := y.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				e.Errorf("discarded %t: %d, %v; want the end", discarded, n, err)
			}
		}
	})
}
