package endpoint_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
)

// Whatever a peer says, in whatever order, while the user does whatever he does: nothing panics or
// waits for ever; no more is adopted and no more memory held than is bounded; nothing is closed
// that is the user's own, and nothing left behind; what is read is what was said, from its
// beginning on, with its descriptors; and every error is one that a user may get.
//
// The first byte chooses the victim: the end that accepted a stream or a connection of records, a
// listener whose client has said nothing, or one that has dialled. The second one is what victim
// and enemy can do to each other: see newSiege.
func FuzzPeer(f *testing.F) {
	for _, script := range peerScripts {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		besiege(t, b, func(s *siege, shape byte) {
			s.typ = []sock.Type{sock.Stream, sock.Seqpacket, sock.Stream, sock.Stream}[shape%4]
			door := s.door(s.open(descriptor.UnixListener), s.typ)
			l := endpoint.Listen(door, s.config(s.typ), 0)
			s.has(l)
			switch shape % 4 {
			case 0, 1:
				s.greet(door.knock())
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				s.has(c)
			case 2:
				door.knock()
			case 3:
				go s.dial(0)
				synctest.Wait()
				s.greet(s.mouthOf(0))
			}
		})
	})
}

// The same holds for a datagram socket, on whose links the enemy says what it wants, and which
// sends to the enemy on links of its own. The first byte says whether it is connected to the enemy.
func FuzzLinks(f *testing.F) {
	for _, script := range linkScripts {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		besiege(t, b, func(s *siege, shape byte) {
			s.typ = sock.Datagram
			p, err := endpoint.ListenPacket(network{s}, "/run/victim", s.config(s.typ))
			if err != nil {
				t.Fatal(err)
			}
			s.has(p)
			if shape&1 != 0 {
				go s.dial(1)
				synctest.Wait()
				s.greet(s.mouthOf(0))
			}
			s.greet(s.doors[0].knock())
		})
	})
}

// longest is how much of a script is played: what takes ten seconds, on a machine that has much
// else to do, is taken for a hang.
const longest = 1 << 10

// besiege plays a script against what begin makes.
func besiege(t *testing.T, b []byte, begin func(s *siege, shape byte)) {
	b = b[:min(len(b), longest)]
	synctest.Test(t, func(t *testing.T) {
		before := memory()
		script := &script{b}
		shape := script.byte()
		s := newSiege(t, script, 0, script.byte())
		begin(s, shape)
		synctest.Wait()
		s.run()
		s.modest(before)
		s.end()
	})
}

// modest fails if much more memory is in use than before.
func (s *siege) modest(before uint64) {
	bound := before + uint64(len(s.mouths)*perPipe)
	if memory() <= bound {
		return
	}
	runtime.GC() // most of it is garbage
	if after := memory(); after > bound {
		s.t.Errorf("%d bytes are held for %d connections", after-before, len(s.mouths))
	}
}

// perPipe is more than a connection may hold: a full window, and the largest luggage in a slice
// that has grown, with what both ends of the pipe keep here.
const perPipe = 2*sock.MaxWindow + 3*sock.MaxLuggage

// memory is how much is in use, in bytes, as far as a few megabytes matter.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
