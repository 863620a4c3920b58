//go:build linux || windows

package ends

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"afunix/internal/locks"
)

// A Ref is one reference to an End. It is safe for concurrent use.
type Ref struct {
	*End

	mu     locks.Mutex[locks.Ref] // may be taken while End.mu is held
	closed bool
	uses   int           // calls under way
	unused chan struct{} // made by Close, and closed by the last of them
}

// Close gives the reference up; calls that wait by way of it return net.ErrClosed. The last one
// closes the end, and nobody is told before that r is closed: the socket file has gone then. (The
// end's lock is held meanwhile. Who waits for it has no other reference either.)
func (r *Ref) Close() error {
	r.dropAbandoned()
	e := r.End
	e.mu.Lock()
	defer e.mu.Unlock()
	unused, err := r.shut()
	if err != nil {
		return err
	}
	delete(e.refs, r)
	if len(e.refs) == 0 {
		return e.close()
	}
	e.interrupt()
	e.mu.Unlock()
	<-unused
	e.mu.Lock()
	e.resume()
	return nil
}

// shut makes later calls fail, and tells when those under way are over.
func (r *Ref) shut() (unused <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	r.closed = true
	r.unused = make(chan struct{})
	if r.uses == 0 {
		close(r.unused)
	}
	return r.unused, nil
}

// Last reports whether to close r closes the end: there is no other reference, and it has not
// moved.
func (r *Ref) Last() bool {
	r.dropAbandoned()
	r.End.mu.Lock()
	defer r.End.mu.Unlock()
	return len(r.refs) == 1 && !r.moved
}

// dropAbandoned drops the references of numbers that have been closed, but whose watchers have not
// come to notice.
func (r *Ref) dropAbandoned() {
	for _, s := range slotsOf(r.End) {
		if s.ref != r && s.abandoned() {
			s.drop()
		}
	}
}

// Do calls op, which may wait, as long as the reference is open. An op that was interrupted for
// another's sake is called again. Errors are op's, or net.ErrClosed.
func (r *Ref) Do(op func() error) error { return r.do(op, func() bool { return false }) }

// do is Do, but not when late reports that it is too late to call op again: then it is
// os.ErrDeadlineExceeded.
func (r *Ref) do(op func() error, late func() bool) error {
	if !r.begin() {
		r.End.mu.Lock() // Close may be under way
		defer r.End.mu.Unlock()
		return net.ErrClosed
	}
	defer r.finish()
	for {
		before := r.interruptions.Load()
		err := op()
		switch {
		case err == nil || !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !r.interrupted(before, late) || late():
			return err
		case r.isClosed():
			return net.ErrClosed
		}
	}
}

// interrupted reports whether deadlines were not those that were set at any time since there had
// been so many interruptions. If they still are not, it waits until they are, it is too late, or
// the reference is closed.
func (r *Ref) interrupted(before uint64, late func() bool) bool {
	e := r.End
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.interrupting > 0 || e.interruptions.Load() != before
	for e.interrupting > 0 && !r.isClosed() && !late() {
		e.calm.Wait()
	}
	return was
}

// DoNow calls op, which may wait no longer than a moment: then it is EAGAIN. One that took longer
// than that may have been held up before it had looked at anything, and is called again.
func (r *Ref) DoNow(op func() error) error {
	e := r.End
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.interrupting > 0 && !r.isClosed() {
		e.calm.Wait()
	}
	if r.isClosed() {
		return net.ErrClosed
	}
	defer e.interruptions.Add(1)
	defer e.apply(e.read, e.write)
	for range attempts {
		begun := time.Now()
		e.apply(begun.Add(moment), begun.Add(moment))
		err := op()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if time.Since(begun) < moment*5/4 {
			break
		}
	}
	return syscall.EAGAIN
}

const (
	// moment is how long a call that is not to wait does wait for what is on its way: what is in
	// the pipe has to be taken out of it, perhaps by another goroutine. With a millisecond, on two
	// processors with fifteen others to do, one call of a thousand did not see what was there; with
	// this, and attempts, one of fifty thousand.
	moment = 5 * time.Millisecond

	// attempts is how often a call is called that is held up.
	attempts = 5
)

// begin counts a call as under way until finish is called, unless the reference is closed.
func (r *Ref) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.uses++
	}
	return !r.closed
}

func (r *Ref) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses--
	if r.uses == 0 && r.closed {
		close(r.unused)
	}
}

func (r *Ref) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// SetReadDeadline sets when reads and accepts give up, by way of whatever reference.
func (r *Ref) SetReadDeadline(t time.Time) error { return r.setDeadline(&r.read, t) }

// SetWriteDeadline sets when writes give up, by way of whatever reference.
func (r *Ref) SetWriteDeadline(t time.Time) error { return r.setDeadline(&r.write, t) }

func (r *Ref) setDeadline(which *time.Time, t time.Time) error {
	e := r.End
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.isClosed() {
		return net.ErrClosed
	}
	*which = t
	if e.interrupting == 0 {
		e.apply(e.read, e.write)
	}
	return nil
}

// Readable reports why a read would fail whatever there was to read: the reference is closed, or
// the deadline has passed.
func (r *Ref) Readable() error { return r.inTime(&r.read) }

// Writable reports why a write would fail whatever there was room for.
func (r *Ref) Writable() error { return r.inTime(&r.write) }

func (r *Ref) inTime(deadline *time.Time) error {
	r.End.mu.Lock()
	defer r.End.mu.Unlock()
	switch {
	case r.isClosed():
		return net.ErrClosed
	case !deadline.IsZero() && !time.Now().Before(*deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}
