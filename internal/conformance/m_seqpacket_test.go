package conformance

import "testing"

func TestRow171(t *testing.T) {
	each(t, "q", func(e *env) {
		a, b := e.pair()
		e.send(a, "abc")
		e.send(a, "def")
		if m := e.peek(b, 2, "ab", 0); !m.Truncated {
			e.Error("not truncated")
		}
		if m := e.peek(b, 9, "abc", 0); m.Truncated {
			e.Error("truncated")
		}
		if m := e.recv(b, 2, "ab", 0); !m.Truncated {
			e.Error("not truncated")
		}
		e.recv(b, 9, "def", 0)
	})
}

func TestRow173(t *testing.T) { notObservable(t, "no call shows MSG_EOR") }
