package httpdrain

import (
	"encoding/binary"
	"math"
)

// Frames of HTTP/2 (RFC 9113, sections 4.1, 6.7 and 6.8): three bytes of length, type, flags, four
// bytes of stream, and the payload.
const (
	headLen  = 9
	shortLen = headLen + 8 // of a frame PING, and of a GOAWAY that says nothing more

	typePing   = 6
	typeGoAway = 7
	flagAck    = 1
)

// preface is what a client says first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// A token tells one PING from another.
type token [8]byte

// These two frames PING ask whether the client has heard that the connection ends, and, later,
// whether it has said everything.
var (
	heard    = token{'a', 'f', 'u', 'n', 'i', 'x', ' ', 'h'}
	finished = token{'a', 'f', 'u', 'n', 'i', 'x', ' ', 'f'}
)

// short returns a frame of stream 0 with eight bytes of payload.
func short(typ, flags byte, payload token) []byte {
	return append([]byte{0, 0, 8, typ, flags, 0, 0, 0, 0}, payload[:]...)
}

// goAway returns a frame that ends a connection, after stream last, without an error.
func goAway(last uint32) []byte {
	var payload token
	binary.BigEndian.PutUint32(payload[:], last)
	return short(typeGoAway, 0, payload)
}

// anyStream in a goAway says that the client should open no more streams; none that it opens before
// it hears so is lost.
const anyStream = math.MaxInt32

// payloadLen returns the length of what follows a frame's head.
func payloadLen(head []byte) int {
	return int(head[0])<<16 | int(head[1])<<8 | int(head[2])
}

// isShortAck reports whether head is that of a frame which acknowledges a PING.
func isShortAck(head []byte) bool {
	return payloadLen(head) == shortLen-headLen && head[3] == typePing && head[4]&flagAck != 0
}

// A course follows a stream of frames.
type course struct {
	head   [headLen]byte
	have   int  // of the head that is under way
	left   int  // of the payload
	frames int  // that are complete
	ending bool // one of them was a GOAWAY
}

// between reports whether the next byte begins a frame.
func (c *course) between() bool { return c.have == 0 && c.left == 0 }

// advance goes on by b, or by that part of it with which a frame ends, and returns how much that
// was.
func (c *course) advance(b []byte) (n int) {
	if c.left == 0 {
		n = copy(c.head[c.have:], b)
		if c.have += n; c.have < headLen {
			return n
		}
		c.have, c.left = 0, payloadLen(c.head[:])
	}
	rest := min(c.left, len(b)-n)
	if c.left -= rest; c.left == 0 {
		c.frames++
		c.ending = c.ending || c.head[3] == typeGoAway
	}
	return n + rest
}
