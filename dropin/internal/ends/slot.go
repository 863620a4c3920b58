//go:build linux || windows

package ends

import (
	"os"
	"sync"
	"sync/atomic"

	"afunix/internal/locks"
)

// A slot is a number that stands for an end: it is that of the writing end of a pipe, of which
// there may be copies.
type slot struct {
	ref    *Ref
	key    key      // by which the pipe is known
	keeper *os.File // its reading end
	once   sync.Once
}

// slots has every slot whose number is open, or has been until now.
var slots struct {
	n  atomic.Int64 // how many, for those who need not look
	mu locks.Mutex[locks.Slots]
	m  map[key]*slot
}

// NewFD returns a new number for the end, which is one more reference to it. The caller closes it.
func (e *End) NewFD() (int, error) {
	fd, k, keeper, err := open(e.messages())
	if err != nil {
		return -1, err
	}
	s := &slot{ref: e.NewRef(), key: k, keeper: keeper}
	slots.mu.Lock()
	defer slots.mu.Unlock()
	if slots.m == nil {
		slots.m = make(map[key]*slot)
	}
	slots.m[k] = s
	slots.n.Add(1)
	go s.watch()
	return fd, nil
}

// messages reports whether each write to the end is a message.
func (e *End) messages() bool {
	return e.Conn != nil && e.Conn.LocalAddr().Network() != "unix"
}

// Lookup returns the reference that fd is, if it is a number of an end.
func Lookup(fd int) (*Ref, bool) {
	if s, ok := find(fd); ok {
		return s.ref, true
	}
	return nil, false
}

func find(fd int) (*slot, bool) {
	if slots.n.Load() == 0 {
		return nil, false
	}
	k, ok := identify(fd)
	if !ok {
		return nil, false
	}
	slots.mu.Lock()
	defer slots.mu.Unlock()
	s, ok := slots.m[k]
	return s, ok
}

// Close closes fd, if it is a number of an end.
func Close(fd int) (ok bool, err error) {
	s, ok := find(fd)
	if !ok {
		return false, nil
	}
	err = closeFD(fd)
	if s.abandoned() {
		s.drop()
	}
	return true, err
}

// slotsOf returns the slots of e.
func slotsOf(e *End) (of []*slot) {
	if slots.n.Load() == 0 {
		return nil
	}
	slots.mu.Lock()
	defer slots.mu.Unlock()
	for _, s := range slots.m {
		if s.ref.End == e {
			of = append(of, s)
		}
	}
	return of
}

// watch drops the slot when the last copy of its number has been closed, and until then passes on
// what is written to it.
func (s *slot) watch() {
	buf := make([]byte, atOnce)
	for {
		n, err := s.keeper.Read(buf)
		if n > 0 && s.ref.Conn != nil {
			// The program that wrote it is gone, and can be told nothing.
			_, _ = s.ref.Write(buf[:n])
		}
		if err != nil { // io.EOF; or whatever it is, nothing can be noticed any more
			s.drop()
			return
		}
	}
}

// drop gives up the slot's reference. The number is closed.
func (s *slot) drop() {
	s.once.Do(func() {
		slots.mu.Lock()
		delete(slots.m, s.key)
		slots.n.Add(-1)
		slots.mu.Unlock()
		s.keeper.Close()
		_ = s.ref.Close() // as close(2) of a socket, it has nothing to report
	})
}
