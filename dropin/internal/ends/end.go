//go:build linux || windows

package ends

import (
	"sync"
	"sync/atomic"
	"time"

	"afunix"

	"afunix/internal/locks"
)

// An End is a connection or a listener that any number of Refs share.
type End struct {
	Conn     *afunix.Conn     // nil if it listens
	Listener *afunix.Listener // nil if it does not

	// SocketFile is that of a listener which this process has made, and nil for any other. It is
	// set before there is a second reference.
	SocketFile interface{ Remove() }

	// interruptions counts how often deadlines have been used to wake somebody who had set none,
	// each time when they are again what was set.
	interruptions atomic.Uint64

	readLimit, writeLimit atomic.Int64 // SO_RCVTIMEO, SO_SNDTIMEO: a limit

	mu           locks.Mutex[locks.End]
	refs         map[*Ref]bool
	moved        bool      // to another process: there is nothing to close
	read, write  time.Time // the deadlines that were set
	interrupting int       // how many Closes keep them from being in force
	calm         sync.Cond // it has become 0, or a reference was closed
	options      settings
}

// newEnd returns an end to which nothing refers yet.
func newEnd(c *afunix.Conn, l *afunix.Listener) *End {
	e := &End{Conn: c, Listener: l, refs: make(map[*Ref]bool), options: newSettings()}
	e.calm.L = &e.mu
	return e
}

// NewConn returns the first reference to c.
func NewConn(c *afunix.Conn) *Ref { return newEnd(c, nil).NewRef() }

// NewListener returns the first reference to l.
func NewListener(l *afunix.Listener) *Ref { return newEnd(nil, l).NewRef() }

// NewRef returns a further reference.
func (e *End) NewRef() *Ref {
	r := &Ref{End: e}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refs[r] = true
	return r
}

// Moved notes that the end is another process's now: a connection or listener of the pipe transport
// that was sent.
func (e *End) Moved() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved = true
}

// close closes what nobody refers to any more.
func (e *End) close() error {
	switch {
	case e.moved:
		return nil
	case e.Listener != nil:
		return e.Listener.Close()
	}
	return e.Conn.Close()
}

var past = time.Unix(1, 0)

// interrupt wakes every call that waits, and lets none wait until resume is called. Those that were
// not meant try again then: see Ref.Do. The caller holds e.mu.
func (e *End) interrupt() {
	e.interrupting++
	e.apply(past, past)
	e.calm.Broadcast()
}

// resume puts the deadlines that were set in force again. The caller holds e.mu.
func (e *End) resume() {
	e.interrupting--
	if e.interrupting == 0 {
		e.apply(e.read, e.write)
		e.interruptions.Add(1)
		e.calm.Broadcast()
	}
}

// apply puts deadlines in force. If the end has been closed or has moved, what is done next will
// say so.
func (e *End) apply(read, write time.Time) {
	if e.Listener != nil {
		_ = e.Listener.SetDeadline(read)
		return
	}
	_ = e.Conn.SetReadDeadline(read)
	_ = e.Conn.SetWriteDeadline(write)
}
