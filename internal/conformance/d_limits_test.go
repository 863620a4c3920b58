package conformance

import (
	"syscall"
	"testing"
)

// How many fit into SO_SNDBUF depends on the kernel's accounting: only that there is a limit, and
// that it is not that of a receiver's queue, can be expected.
func TestRow048(t *testing.T) {
	each(t, "dq", func(e *env) {
		a, _ := e.pair()
		if n := e.fill(a, "x"); n < 100 || n > 2000 {
			e.Errorf("%d messages fit", n)
		}
		if !e.datagram() {
			return
		}
		path := e.path()
		e.listenPacket(path)
		if n := e.fill(e.dial(path), "x"); n != 11 {
			e.Errorf("%d datagrams fit; want max_dgram_qlen + 1", n)
		}
	})
}

func TestRow049(t *testing.T) {
	each(t, "dq", func(e *env) {
		a, b := e.pair()
		const largest = 212992 - 32
		e.fails(second(a.Write(make([]byte, largest+1))), syscall.EMSGSIZE)
		go a.Write(make([]byte, largest))
		e.recv(b, largest+100, string(make([]byte, largest)), 0)
		// The limit follows SO_SNDBUF.
		e.check(a.SetWriteBuffer(10000))
		e.fails(second(a.Write(make([]byte, 20000-31))), syscall.EMSGSIZE)
		e.send(a, string(make([]byte, 20000-32)))
		e.recv(b, 20000, string(make([]byte, 20000-32)), 0)
	})
}
