package endpoint

import (
	"sync"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// packets lends the buffers that packets are read into.
var packets = sync.Pool{New: func() any { return new(pipe.Buffer) }}

// Payloads that have to wait for their reader move into a buffer of their size, so that a queue of
// short messages does not hold a large buffer for each.
var (
	smalls  = sync.Pool{New: func() any { return new(smallBuffer) }}
	mediums = sync.Pool{New: func() any { return new(mediumBuffer) }}
)

type (
	smallBuffer  [1 << 10]byte
	mediumBuffer [1 << 13]byte
	packetBuffer pipe.Buffer
)

func (b *smallBuffer) Release()  { smalls.Put(b) }
func (b *mediumBuffer) Release() { mediums.Put(b) }
func (b *packetBuffer) Release() { packets.Put((*pipe.Buffer)(b)) }

// fit moves a segment that will have to wait into a buffer that is not much larger than it.
func fit(s *sock.Segment) {
	n := len(s.Data)
	switch {
	case n <= len(smallBuffer{}):
		b := smalls.Get().(*smallBuffer)
		replaceBuffer(s, b[:n], b)
	case n <= len(mediumBuffer{}):
		b := mediums.Get().(*mediumBuffer)
		replaceBuffer(s, b[:n], b)
	}
}

func replaceBuffer(s *sock.Segment, to []byte, b sock.Buffer) {
	copy(to, s.Data)
	s.Buffer.Release()
	s.Data, s.Buffer = to, b
}
