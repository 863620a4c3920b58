package endpoint

import (
	"sync"

	"afunix/internal/pipe"
)

// packets lends the buffers that packets are read into.
var packets = sync.Pool{New: func() any { return new(pipe.Buffer) }}

// Payloads that have to wait for their reader move into a buffer of their size, so that a queue of short messages does not hold
// a large buffer for each.
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
