package conformance

import "testing"

func TestRow026(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "four")
		e.send(a, "1", w.w)
		e.send(a, "more")
		e.arrives(b, "four1")
		e.recv(b, 20, "four1", 1)
		e.recv(b, 20, "more", 0)
	})
}

func TestRow027(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		e.send(a, "ab", e.witness().w)
		e.send(a, "cd")
		e.recv(b, 20, "ab", 1)
		e.recv(b, 20, "cd", 0)
	})
}

func TestRow030(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "ab", w.w)
		e.send(a, "cd", w.w)
		e.send(a, "ef")
		for _, want := range []string{"ab", "cd", "ef"} {
			e.read(b, 20, want)
		}
		w.released()
	})
}

func TestRow032(t *testing.T) {
	notObservable(t, "no call asks for MSG_WAITALL")
}

func TestRow033(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "ab", w.w)
		e.send(a, "cd")
		for range 2 {
			r := e.peek(b, 20, "ab", 1).Rights
			w.works(r, 0)
			e.check(r.Close())
		}
		r := e.recv(b, 20, "ab", 1).Rights
		w.works(r, 0)
		e.check(r.Close())
		w.released()
	})
}

func TestRow037(t *testing.T) {
	notObservable(t, "PeekMsg always has room for all descriptors")
}
