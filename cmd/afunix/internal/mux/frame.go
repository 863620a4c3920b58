package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	headerSize = 12
	// MaxPayload is the largest payload of one frame.
	MaxPayload = 32 << 10
	// Window is what may be sent on a stream before any of it is read, in both directions.
	Window = 128 << 10
	// overhead is what a frame of data costs of the window beside its payload: what the receiver
	// keeps of it.
	overhead = 64
	// MaxStreams is how many streams there may be at once.
	MaxStreams = 4096
	// maxReason is the longest text of a reset.
	maxReason = 1 << 10
)

// A kind is what a frame is.
type kind uint8

// The kinds of frames.
const (
	open kind = 1 + iota
	data
	credit
	end
	stop
	reset
)

func (k kind) known() bool { return open <= k && k <= reset }

// String is the name of the kind.
func (k kind) String() string {
	if k.known() {
		return [...]string{"open", "data", "credit", "end", "stop", "reset"}[k-open]
	}
	return fmt.Sprint("kind ", uint8(k))
}

// A header is what is in front of a payload.
type header struct {
	kind   kind
	flag   bool // records of open, more of data: see the package's documentation
	length int
	stream uint64
}

// ErrProtocol is what every error wraps that says that the other side has not kept to the protocol.
var ErrProtocol = errors.New("the other side does not speak the protocol of afunix proxy --mux")

// broken returns an ErrProtocol.
func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// append adds the header's bytes to b.
func (h header) append(b []byte) []byte {
	var flags byte
	if h.flag {
		flags = 1
	}
	b = append(b, byte(h.kind), flags)
	b = binary.BigEndian.AppendUint16(b, uint16(h.length))
	return binary.BigEndian.AppendUint64(b, h.stream)
}

// parseHeader is the header in b. What it says is within the bounds of its kind.
func parseHeader(b *[headerSize]byte) (header, error) {
	h := header{
		kind:   kind(b[0]),
		flag:   b[1] == 1,
		length: int(binary.BigEndian.Uint16(b[2:])),
		stream: binary.BigEndian.Uint64(b[4:]),
	}
	shortest, longest, flagged := 0, 0, false
	switch h.kind {
	case open:
		flagged = true
	case data:
		longest, flagged = MaxPayload, true
	case credit:
		shortest, longest = 4, 4
	case reset:
		longest = maxReason
	case end, stop:
	default:
		return h, broken("a frame of %s", h.kind)
	}
	switch {
	case b[1] > 1, h.flag && !flagged:
		return h, broken("%s with the flags %#x", h.kind, b[1])
	case h.length < shortest || h.length > longest:
		return h, broken("%s with a payload of %d bytes", h.kind, h.length)
	}
	return h, nil
}

// cost is what a frame of data takes of the window.
func cost(payload int) int { return payload + overhead }
