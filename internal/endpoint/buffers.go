package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// WriteBuffers sends one record, or a part of a stream, of several slices: see transport.Conn. A
// packet takes its payload in one piece, so short slices are copied.
func (c *Conn) WriteBuffers(b [][]byte) (int64, error) {
	total := transport.Length(b)
	if c.typ != sock.Stream || total == 0 {
		return transport.Joined(b, c.Write)
	}
	s := c.out.send()
	defer s.done()
	n, err := s.slices(b)
	return int64(n), c.blame(total, nil, err)
}

// slices writes all of b to a stream, in as few packets as one long slice would take.
func (s sending) slices(b [][]byte) (n int, err error) {
	buffer := packets.Get().(*pipe.Buffer)
	defer packets.Put(buffer)
	for piece, at := []byte(nil), 0; ; {
		if piece, b, at = nextPiece(buffer[:wire.MaxPayload], b, at); len(piece) == 0 {
			return n, nil
		}
		k, err := s.pieces(piece, wire.MaxPayload, nil)
		if n += k; err != nil {
			return n, err
		}
	}
}

// nextPiece returns the beginning of what is in all of b behind the first at bytes, and what is
// left: empty at the end. It is in room, unless it is part of a slice that is longer than that.
func nextPiece(room []byte, b [][]byte, at int) (piece []byte, rest [][]byte, restAt int) {
	if len(b) > 0 && len(b[0])-at >= len(room) {
		return b[0][at:], b[1:], 0
	}
	n := 0
	for len(b) > 0 {
		k := copy(room[n:], b[0][at:])
		n, at = n+k, at+k
		if at < len(b[0]) {
			break // there is no more room
		}
		b, at = b[1:], 0
	}
	return room[:n], b, at
}
