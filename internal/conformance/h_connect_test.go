package conformance

import (
	"os"
	"syscall"
	"testing"
	"time"

	"afunix"
)

func TestRow098(t *testing.T) {
	notObservable(t, "Listen binds and listens at once, and takes no datagrams")
}

func TestRow100(t *testing.T) {
	each(t, "sq", func(e *env) {
		l := e.listen(e.path())
		e.check(l.SetDeadline(time.Now().Add(moment)))
		e.fails(second(l.Accept()), os.ErrDeadlineExceeded)
		e.check(l.SetDeadline(time.Time{}))
		e.dial(l.Addr().String())
		e.accept(l)
	})
}

// A client that is bound to a name does not listen there.
func TestRow101(t *testing.T) {
	each(t, "sq", func(e *env) {
		l := e.listen(e.path())
		bound := e.path()
		e.dialFrom(bound, l.Addr().String())
		e.accept(l)
		e.fails(second(e.tryDial(bound)), syscall.ECONNREFUSED)
	})
}

func TestRow102(t *testing.T) {
	each(t, "sq", func(e *env) {
		lc := e.config()
		lc.Backlog = 2
		l := e.listenWith(lc, e.path())
		addr := l.Addr().String()
		for range lc.Backlog + 1 {
			e.dial(addr)
		}
		for range 2 {
			e.fails(second(e.tryDial(addr)), syscall.EAGAIN)
		}
		e.accept(l)
		e.dial(addr)
		e.fails(second(e.tryDial(addr)), syscall.EAGAIN)

		most := e.listen(e.path()) // the system's maximum
		for range 300 {
			e.dial(most.Addr().String())
		}
	})
}

const noShutdown = "a Listener cannot be shut down, only closed"

func TestRow104(t *testing.T) { notObservable(t, noShutdown) }
func TestRow107(t *testing.T) { notObservable(t, noShutdown) }
func TestRow109(t *testing.T) { notObservable(t, "no call connects to AF_UNSPEC") }
func TestRow110(t *testing.T) { notObservable(t, "a Listener has none of these options") }

func TestRow112(t *testing.T) {
	each(t, "sdq", func(e *env) {
		path := e.path()
		s, err := e.bind(path)
		e.check(err)
		if l, ok := s.(*afunix.Listener); ok {
			l.SetUnlinkOnClose(false)
		}
		e.check(s.Close())
		e.fails(second(e.tryDial(path)), syscall.ECONNREFUSED)
		e.fails(second(e.bind(path)), syscall.EADDRINUSE)
	})
}

// Connects succeed before Accept, and what was sent before it arrives, descriptors included;
// connections come in the order in which they were made.
func TestDataBeforeAccept(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		l := e.listen(e.path())
		for _, name := range []string{"first", "second", "third"} {
			c := e.dial(l.Addr().String())
			e.send(c, name, e.file(name))
			e.check(c.Close())
		}
		for _, name := range []string{"first", "second", "third"} {
			c := e.accept(l)
			if got := e.textOf(e.recv(c, 9, name, 1).Rights, 0); got != name {
				e.Errorf("the file of %s is that of %s", name, got)
			}
			e.ends(c)
		}
	})
}
