package mux

import "sync"

// payloads are buffers for long payloads, which come often and go soon.
var payloads = sync.Pool{New: func() any { return new([MaxPayload]byte) }}

// longPayload is where a buffer of its full size costs less than one that is made to measure.
const longPayload = MaxPayload / 4

// newPayload returns room for a payload of n bytes.
func newPayload(n int) []byte {
	if n < longPayload {
		return make([]byte, n)
	}
	return payloads.Get().(*[MaxPayload]byte)[:n]
}

// freePayload takes back what newPayload has returned, and nobody uses any more.
func freePayload(b []byte) {
	if cap(b) == MaxPayload {
		payloads.Put((*[MaxPayload]byte)(b[:MaxPayload]))
	}
}
