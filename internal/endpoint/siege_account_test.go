package endpoint_test

import (
	"errors"
	"slices"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// An account is what a reader must see of what a mouth has said: whatever else the enemy says and
// whatever happens, what is read is this, from its beginning on. The bytes follow a pattern, so
// that none has to be kept.
type account struct {
	typ   sock.Type
	key   int // tells the bytes of this mouth from others'
	said  int // bytes
	read  int // bytes of a stream
	parts []part
	open  bool // a record is, in pieces
	void  bool // pieces have come out of order: nothing counts from here on
}

// A part is a record, or what came with descriptors on a stream.
type part struct {
	begin, end int
	whole      bool
	files      []*simproc.File // nil for one that nothing is known of
}

// at is byte i of the pattern.
func (a *account) at(i int) byte { return byte(i*7 + i>>8 + a.key*31) }

// note notes a Data packet that is about to be said, and fills in its payload.
func (a *account) note(p *wire.Packet, files []*simproc.File) {
	more, continued := p.Flags&wire.More != 0, p.Flags&wire.Continued != 0
	if a.typ == sock.Stream && (more || continued || len(p.Payload) == 0) || continued != a.open {
		a.void = true
	}
	if a.void {
		return
	}
	for i := range p.Payload {
		p.Payload[i] = a.at(a.said + i)
	}
	begin := a.said
	a.said += len(p.Payload)
	a.open = more
	switch {
	case continued:
		last := &a.parts[len(a.parts)-1]
		last.end, last.whole = a.said, !more
	case a.typ != sock.Stream || len(files) > 0:
		a.parts = append(a.parts, part{begin: begin, end: a.said, whole: !more, files: files})
	}
}

// clone returns what a is now.
func (a *account) clone() account {
	was := *a
	was.parts = slices.Clone(a.parts)
	return was
}

// A reading is one call that has read something.
type reading struct {
	b     []byte
	room  int
	m     transport.Message // but for a Read, which takes no descriptors
	peek  bool
	plain bool // a Read
	err   error
}

// check fails unless r gives what comes next.
func (a *account) check(t *testing.T, victim *simproc.Process, r reading) {
	t.Helper()
	if a.typ == sock.Stream {
		a.checkStream(t, victim, r)
		return
	}
	if len(a.parts) == 0 || !a.parts[0].whole {
		t.Fatalf("a record of %d bytes was read that nobody sent", len(r.b))
	}
	p := a.parts[0]
	if !a.shows(p, r) || !r.plain && r.m.Truncated != (p.end-p.begin > r.room) {
		t.Fatalf("%d bytes of a record of %d were read into %d, cut %t, or they are others", len(r.b), p.end-p.begin, r.room, r.m.Truncated)
	}
	checkFiles(t, victim, r, p.files)
	if !r.peek {
		a.parts = a.parts[1:]
	}
}

// shows reports whether r has read p.
func (a *account) shows(p part, r reading) bool {
	return len(r.b) == min(p.end-p.begin, r.room) && a.has(p.begin, r.b)
}

// has reports whether b is what was said from byte begin on.
func (a *account) has(begin int, b []byte) bool {
	for i := range b {
		if b[i] != a.at(begin+i) {
			return false
		}
	}
	return true
}

func (a *account) checkStream(t *testing.T, victim *simproc.Process, r reading) {
	t.Helper()
	if a.read+len(r.b) > a.said || !a.has(a.read, r.b) {
		t.Fatalf("%d bytes were read from byte %d of %d on, or they are others", len(r.b), a.read, a.said)
	}
	if r.peek || len(r.b) == 0 {
		return
	}
	a.read += len(r.b)
	if len(a.parts) == 0 || a.parts[0].begin >= a.read {
		checkFiles(t, victim, r, nil)
		return
	}
	checkFiles(t, victim, r, a.parts[0].files)
	if a.parts = a.parts[1:]; len(a.parts) > 0 && a.parts[0].begin < a.read {
		t.Fatal("a read went on beyond descriptors, to the next")
	}
}

// checkFiles fails unless the descriptors are those that came, if all could be installed.
func checkFiles(t *testing.T, victim *simproc.Process, r reading, files []*simproc.File) {
	t.Helper()
	if r.plain || r.peek || errors.Is(r.err, descriptor.ErrRightsTruncated) {
		return
	}
	if r.m.Rights.Len() != len(files) {
		t.Fatalf("%d descriptors came with a message that had %d", r.m.Rights.Len(), len(files))
	}
	for i, f := range files {
		if v, _, e := r.m.Rights.Borrow(i); e == nil && f != nil && victim.Refers(v) != f {
			t.Fatalf("descriptor %d is another file", i)
		}
	}
}

// checkDatagram fails unless r is a datagram that one of the mouths has said, after those that have
// been read.
func checkDatagram(t *testing.T, mouths []*mouth, r reading) {
	t.Helper()
	if len(r.b) == 0 {
		return
	}
	for _, m := range mouths {
		for i, p := range m.account.parts {
			if p.whole && m.account.shows(p, r) {
				if !r.peek {
					m.account.parts = m.account.parts[i+1:]
				}
				return
			}
		}
	}
	t.Fatalf("a datagram of %d bytes was read that nobody sent", len(r.b))
}
