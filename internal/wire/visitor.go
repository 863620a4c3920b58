package wire

import (
	"encoding/binary"
	"math"

	"afunix/internal/sock"
)

// A visitor is shown each field of a state: a writer appends them, a reader fills them in.
type visitor interface {
	u8(*uint8)
	u32(*uint32)
	u64(*uint64)
	flags(flags ...*bool) // 4 bytes, the first one is bit 0
	text(*string)
	bytes(*[]byte)
	rights(*sock.Rights)                  // how many there are
	length(n *int, size int, most uint32) // of a list of at most so many elements, which take so many bytes at least
	more() bool                           // whether there may be more elements
}

// anyLength is the length of a list that is bounded by nothing but what there is of it.
const anyLength = math.MaxUint32

// list visits a list: its length, 4 bytes, and then the elements, most at most. They take size
// bytes at least, so that the list is never longer than what there is of it.
func list[E any](v visitor, l *[]E, size int, most uint32, element func(*E)) {
	n := len(*l)
	v.length(&n, size, most)
	if len(*l) < n {
		*l = make([]E, n)
	}
	for i := 0; i < n && v.more(); i++ {
		element(&(*l)[i])
	}
}

type writer struct{ b []byte }

func (w *writer) u8(n *uint8)   { w.b = append(w.b, *n) }
func (w *writer) u32(n *uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, *n) }
func (w *writer) u64(n *uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, *n) }
func (w *writer) more() bool    { return true }

func (w *writer) length(n *int, _ int, _ uint32) {
	l := uint32(*n)
	w.u32(&l)
}

func (w *writer) flags(flags ...*bool) {
	var bits uint32
	for i, f := range flags {
		if *f {
			bits |= 1 << i
		}
	}
	w.u32(&bits)
}

func (w *writer) rights(r *sock.Rights) {
	var n uint8
	if *r != nil {
		n = uint8((*r).Len())
	}
	w.u8(&n)
}

func (w *writer) text(s *string) {
	w.b = append(w.b, byte(len(*s)))
	w.b = append(w.b, *s...)
}

func (w *writer) bytes(p *[]byte) {
	n := len(*p)
	w.length(&n, 1, anyLength)
	w.b = append(w.b, *p...)
}

// A reader has failed once the bytes are not what they should be, and then gives zeros.
type reader struct {
	b      []byte
	failed bool
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.b) {
		r.failed = true
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) u8(n *uint8) {
	if b := r.take(1); b != nil {
		*n = b[0]
	}
}

func (r *reader) u32(n *uint32) {
	if b := r.take(4); b != nil {
		*n = binary.LittleEndian.Uint32(b)
	}
}

func (r *reader) u64(n *uint64) {
	if b := r.take(8); b != nil {
		*n = binary.LittleEndian.Uint64(b)
	}
}

func (r *reader) flags(flags ...*bool) {
	var bits uint32
	r.u32(&bits)
	r.failed = r.failed || bits>>len(flags) != 0
	for i, f := range flags {
		*f = bits>>i&1 != 0
	}
}

func (r *reader) rights(to *sock.Rights) {
	var n uint8
	if r.u8(&n); n > 0 {
		*to = Announced(n)
	}
}

func (r *reader) text(s *string) {
	var n uint8
	r.u8(&n)
	r.failed = r.failed || n > MaxText
	*s = string(r.take(int(n)))
}

func (r *reader) bytes(p *[]byte) {
	var n int
	r.length(&n, 1, anyLength)
	*p = r.take(n)
}

func (r *reader) length(n *int, size int, most uint32) {
	var l uint32
	r.u32(&l)
	r.failed = r.failed || l > most || uint64(l)*uint64(size) > uint64(len(r.b))
	if !r.failed {
		*n = int(l)
	}
}

func (r *reader) more() bool { return !r.failed }
