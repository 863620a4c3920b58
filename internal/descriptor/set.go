package descriptor

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	errnos "afunix/internal/errno" // errno is a function on Windows
	"afunix/internal/locks"
)

// An item is one descriptor that a Set owns. File descriptors are 31 bits long, and handles have 32
// significant bits on every Windows, so it is kept small.
type item struct {
	value uint32 // of an end: its index; of one that was refused: the errno
	kind  Kind
	state uint8
	end   bool
}

const (
	held    uint8 = iota // the set closes it
	unnamed              // the set closes it, and Kind is not known yet
	taken                // somebody else closes it
	refused              // the kernel has put an errno in its place
)

// A Set owns the descriptors that came with one message. Each can be taken once; Close closes the
// others. A Set that is dropped is closed by a finalizer.
type Set struct {
	more  *more // nil: descriptors of System, and no ends
	mu    locks.Mutex[locks.Set]
	items []item
	one   [1]item // so that a single descriptor needs no second allocation
}

// more is what few sets need.
type more struct {
	table Table
	ends  []End
}

// NewSet returns an empty set with room for n descriptors of table.
func NewSet(table Table, n int) *Set {
	s := new(Set)
	if table != System {
		s.more = &more{table: table}
	}
	if n <= len(s.one) {
		s.items = s.one[:0]
	} else {
		s.items = make([]item, 0, n)
	}
	runtime.SetFinalizer(s, func(s *Set) { s.discard() })
	return s
}

// in returns the table that the descriptors are in.
func (s *Set) in() Table {
	if s.more == nil {
		return System
	}
	return s.more.table
}

// Add gives v, which is of kind k, to the set.
func (s *Set) Add(v uintptr, k Kind) { s.items = append(s.items, item{value: uint32(v), kind: k}) }

// AddUnnamed gives v to the set, which finds out its kind when it is asked. Only for systems on
// which a descriptor of any kind is closed in the same way.
func (s *Set) AddUnnamed(v uintptr) {
	s.items = append(s.items, item{value: uint32(v), state: unnamed})
}

// AddRefused puts the number of an errno in the place of a descriptor that the kernel did not
// install.
func (s *Set) AddRefused(number uint32) {
	s.items = append(s.items, item{value: number, kind: Other, state: refused})
}

// AddEnd gives e, of kind k, to the set.
func (s *Set) AddEnd(e End, k Kind) {
	if s.more == nil {
		s.more = &more{table: System}
	}
	s.items = append(s.items, item{value: uint32(len(s.more.ends)), kind: k, end: true})
	s.more.ends = append(s.more.ends, e)
}

// Ends returns the ends among the descriptors.
func (s *Set) Ends() []End {
	if s == nil || s.more == nil {
		return nil
	}
	return s.more.ends
}

// Borrow returns descriptor i without taking it: its value, or the end that it is.
func (s *Set) Borrow(i int) (v uintptr, k Kind, e End) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &s.items[i]
	if it.end {
		return 0, it.kind, s.more.ends[it.value]
	}
	return uintptr(it.value), s.kind(i), nil
}

// Len returns the number of descriptors, those that were taken included.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.items)
}

// Kind returns what descriptor i is; Other for one that was taken before anybody asked.
func (s *Set) Kind(i int) Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kind(i)
}

func (s *Set) kind(i int) Kind {
	it := &s.items[i]
	if it.state == unnamed {
		it.kind, _ = s.in().Kind(uintptr(it.value)) // a descriptor that cannot be asked is Other
		it.state = held
	}
	return it.kind
}

// absent returns why nobody can have the descriptor of it any more: nil if it is here.
func (it *item) absent() error {
	switch it.state {
	case taken:
		return os.ErrClosed
	case refused:
		return errnos.Numbered(it.value)
	}
	return nil
}

// Take hands descriptor i to the caller, who closes it from now on. An index out of range is
// EINVAL. A descriptor that was taken or closed is os.ErrClosed. A descriptor that was refused is
// the errno of that. An end is ErrEnd: [Set.Give] gives it.
func (s *Set) Take(i int) (uintptr, Kind, error) {
	if i < 0 || i >= s.Len() {
		return 0, Other, syscall.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &s.items[i]
	if err := it.absent(); err != nil {
		return 0, it.kind, err
	}
	if it.end {
		return 0, it.kind, ErrEnd
	}
	k := s.kind(i)
	it.state = taken
	return uintptr(it.value), k, nil
}

// Give shows descriptor i, which may be an end and then has no value, to take, which owns it from
// then on if, and only if, it returns nil. Errors are those of Take, and what take returns.
func (s *Set) Give(i int, take func(v uintptr, k Kind, e End) error) error {
	if i < 0 || i >= s.Len() {
		return syscall.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &s.items[i]
	if err := it.absent(); err != nil {
		return err
	}
	var err error
	if it.end {
		e := s.more.ends[it.value]
		e.Taken()
		err = take(0, it.kind, e)
	} else {
		err = take(uintptr(it.value), s.kind(i), nil)
	}
	if err != nil {
		return err
	}
	it.state = taken
	return nil
}

// Dup returns a set of fresh duplicates of every descriptor that is still here. Ends cannot be
// duplicated: in their place is one that was taken. If one fails, the others are closed, by another
// goroutine if that may wait: the caller may hold the lock of a connection, and a stranger's file
// system may never let go.
func (s *Set) Dup() (*Set, error) {
	d := NewSet(s.in(), len(s.items))
	err := s.dupTo(d)
	if err == nil {
		return d, nil
	}
	if d.lingers() {
		d.discard()
	} else {
		d.Close()
	}
	return nil, err
}

// dupTo adds the duplicates to d, which nobody else has yet.
func (s *Set) dupTo(d *Set) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.items {
		if it := s.items[i]; it.end {
			d.items = append(d.items, item{kind: it.kind, state: taken, end: true})
			continue
		} else if it.state == refused {
			d.items = append(d.items, it)
			continue
		}
		k := s.kind(i)
		v, err := s.in().Dup(uintptr(s.items[i].value), k)
		if err != nil {
			return err
		}
		d.Add(v, k)
	}
	return nil
}

// discarding is how many goroutines may wait at a time for strangers' files to be closed. Each
// holds a thread.
var discarding = make(chan struct{}, 32)

// Discard is Close for a set that nobody has looked at. The close of a file of a stranger's file
// system, or of a stranger's socket, may wait for that stranger. So Discard waits for a moment
// only, and not at all while other closes wait already.
func (s *Set) Discard() {
	if !s.lingers() {
		s.Close() // nobody is there to be told
		return
	}
	done := s.discard()
	if stuck.Load() > 0 {
		return
	}
	moment := time.NewTimer(100 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-done:
	case <-moment.C:
		stuck.Add(1)
		go func() {
			<-done
			stuck.Add(-1)
		}()
	}
}

// stuck is how many sets were not closed in a moment, and are not yet.
var stuck atomic.Int32

// discard is Close on another goroutine: also for a set that was dropped, since one goroutine runs
// all finalizers.
func (s *Set) discard() (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		discarding <- struct{}{}
		defer func() {
			<-discarding
			close(done)
		}()
		s.Close()
	}()
	return done
}

// lingers reports whether Close may wait.
func (s *Set) lingers() bool {
	if s == nil || s.in() != System {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		if it.absent() == nil && !it.end && (it.state == unnamed || lingers(it.kind)) {
			return true
		}
	}
	return false
}

// Discard is that of a Set for one descriptor.
func Discard(t Table, v uintptr, k Kind) {
	s := NewSet(t, 1)
	s.Add(v, k)
	s.Discard()
}

// Close closes every descriptor that was not taken, and returns the first error.
func (s *Set) Close() error {
	if s == nil {
		return nil
	}
	runtime.SetFinalizer(s, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for i := range s.items {
		it := &s.items[i]
		if it.absent() != nil {
			continue
		}
		it.state = taken
		if err := s.close(it); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (s *Set) close(it *item) error {
	if it.end {
		return s.more.ends[it.value].Close()
	}
	return s.in().Close(uintptr(it.value), it.kind)
}
