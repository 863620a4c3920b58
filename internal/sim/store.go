package sim

import (
	"slices"
	"sync"

	"afunix/internal/wire"
)

// A store is where a world keeps the bytes of its books, which are worth nothing when the world is
// over. Worlds come one after the other, and use one again.
type store struct {
	trace  []event // of the last world
	chunks [][]byte
	used   int // of the last chunk
	full   int // chunks before that
}

// chunk is the length of a chunk, of which the largest message takes a part.
const chunk = 1 << 20

// stores are those of worlds that are over.
var stores = sync.Pool{New: func() any { return new(store) }}

// take returns n bytes, whatever is in them.
func (s *store) take(n int) []byte {
	if n > chunk {
		return make([]byte, n)
	}
	if s.full < len(s.chunks) && s.used+n > chunk {
		s.full, s.used = s.full+1, 0
	}
	if s.full == len(s.chunks) {
		s.chunks = append(s.chunks, make([]byte, chunk))
	}
	b := s.chunks[s.full][s.used:][:n:n]
	s.used += n
	return b
}

// keep returns a copy of b.
func (s *store) keep(b []byte) []byte {
	to := s.take(len(b))
	copy(to, b)
	return to
}

// empty makes the store one of a world to come.
func (s *store) empty() { s.full, s.used = 0, 0 }

// deepen makes room on the stack of a goroutine for all that the engine calls, at once, while there is
// hardly anything to be moved.
//
//go:noinline
func deepen(i int) byte {
	var room [6 << 10]byte
	return room[i]
}

// A room is where a packet is while it is in a pipe.
type room [wire.MaxPacket]byte

// rooms are those of large packets that have been read.
var rooms = sync.Pool{New: func() any { return new(room) }}

// small is the length up to which a packet is not worth a room.
const small = 2048

// compose returns a packet, which whoever reads it gives to vacate.
func compose(head, body []byte) (data []byte, at *room) {
	n := len(head) + len(body)
	if n <= small || n > len(room{}) {
		return slices.Concat(head, body), nil
	}
	at = rooms.Get().(*room)
	copy(at[copy(at[:], head):], body)
	return at[:n], at
}

// vacate ends the use of a packet.
func vacate(at *room) {
	if at != nil {
		rooms.Put(at)
	}
}
