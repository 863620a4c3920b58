package mux

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"syscall"
	"unicode"
)

// A Stream is one connection. One goroutine may receive and another one send; everything else may
// be called at any time.
type Stream struct {
	s       *Session
	id      uint64
	records bool

	// sending is held from the decision to send a frame until it is written: nothing comes behind
	// the last one.
	sending sync.Mutex

	// All of this is guarded by s.mu.
	queue    []piece
	last     []byte     // what Receive has returned
	owed     int        // what has been read, but not yet credited
	held     int        // the cost of what may still be in queue, as the other side knows it
	readable *sync.Cond // something has come, or will never come
	window   int        // what may be sent
	writable *sync.Cond // the window has grown, or nothing can be sent any more
	deaf     bool       // CloseRead: what comes is thrown away
	gotLast  bool       // an end or reset has come
	ending   bool       // an end or reset is being sent, or was
	sentLast bool       // it was
	stopped  bool       // the other side reads no more
	err      error      // of a reset, or of the session
}

// A piece is the payload of one frame of data.
type piece struct {
	data []byte
	more bool
}

func newStream(s *Session, id uint64, records bool) *Stream {
	return &Stream{
		s: s, id: id, records: records, window: Window,
		readable: sync.NewCond(&s.mu), writable: sync.NewCond(&s.mu),
	}
}

// Records reports whether what is sent keeps its boundaries.
func (st *Stream) Records() bool { return st.records }

// A RemoteError is why the other side has ended a stream.
type RemoteError struct{ Text string }

// Error is the other side's text.
func (e *RemoteError) Error() string { return "the other side: " + e.Text }

// Receive waits for what comes next: data that is good until the next call, and whether the record
// goes on. When the other side sends no more, the error is io.EOF.
func (st *Stream) Receive() (data []byte, more bool, err error) {
	if err := st.credit(); err != nil {
		return nil, false, err
	}
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	for len(st.queue) == 0 {
		switch {
		case st.deaf:
			return nil, false, io.EOF
		case st.err != nil:
			return nil, false, st.err
		case st.gotLast:
			return nil, false, io.EOF
		}
		st.readable.Wait()
	}
	p := st.queue[0]
	st.queue = st.queue[1:]
	st.last = p.data
	return p.data, p.more, nil
}

// credit gives back what the data of the call before took of the window, once that is worth a
// frame.
func (st *Stream) credit() error {
	st.s.mu.Lock()
	if st.last != nil {
		st.owed += cost(len(st.last))
		freePayload(st.last)
		st.last = nil
	}
	n := st.owed
	if n < Window/2 || st.gotLast || st.deaf {
		st.s.mu.Unlock()
		return nil
	}
	st.owed = 0
	st.held -= n
	st.s.mu.Unlock()
	return st.s.write(header{kind: credit, stream: st.id}, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// Send sends all of b: bytes, or a record.
func (st *Stream) Send(b []byte) error {
	if len(b) == 0 && !st.records {
		return nil
	}
	for {
		n, err := st.sendPiece(b)
		if err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}

// sendPiece sends as much of b as one frame has, when the window has room.
func (st *Stream) sendPiece(b []byte) (int, error) {
	st.s.mu.Lock()
	for st.window <= overhead && st.obstacle() == nil {
		st.writable.Wait()
	}
	n := min(len(b), MaxPayload, st.window-overhead)
	st.window -= cost(max(n, 0))
	st.s.mu.Unlock()

	st.sending.Lock()
	defer st.sending.Unlock()
	st.s.mu.Lock()
	err := st.obstacle()
	st.s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return n, st.s.write(header{kind: data, flag: st.records && n < len(b), stream: st.id}, b[:n])
}

// obstacle is why nothing can be sent. The caller holds s.mu.
func (st *Stream) obstacle() error {
	switch {
	case st.err != nil:
		return st.err
	case st.ending || st.stopped:
		return syscall.EPIPE
	}
	return nil
}

// Takes reports whether the other side reads what is sent.
func (st *Stream) Takes() bool {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return st.err == nil && !st.stopped
}

// CloseWrite tells the other side that no more comes.
func (st *Stream) CloseWrite() { st.finish(header{kind: end}, "") }

// CloseRead tells the other side that nothing more is read. A Receive that waits gets io.EOF.
func (st *Stream) CloseRead() {
	if st.ignore() {
		_ = st.s.write(header{kind: stop, stream: st.id}, nil) // the session has ended if it fails
	}
}

// ignore throws away what has come and what will come. It reports whether the other side is to
// know.
func (st *Stream) ignore() bool {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.deaf {
		return false
	}
	st.deaf = true
	st.queue = nil
	st.readable.Broadcast()
	return !st.gotLast
}

// Close ends both directions. The other side is told of the cause, if that is not nil.
func (st *Stream) Close(cause error) {
	if cause != nil && st.finish(header{kind: reset}, cause.Error()) {
		st.ignore()
		return
	}
	st.CloseRead()
	st.CloseWrite()
}

// finish sends the last frame, unless it was sent before.
func (st *Stream) finish(h header, reason string) bool {
	st.sending.Lock()
	defer st.sending.Unlock()
	if !st.finishing() {
		return false
	}
	h.stream = st.id
	_ = st.s.write(h, []byte(reason[:min(len(reason), maxReason)])) // the session has ended if it fails
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	st.sentLast = true
	st.s.forget(st)
	return true
}

// finishing decides that the last frame is sent now.
func (st *Stream) finishing() bool {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.ending {
		return false
	}
	st.ending = true
	st.writable.Broadcast()
	return true
}

// lose takes in that the session has ended. The caller holds s.mu.
func (st *Stream) lose(err error) {
	if st.err == nil && !(st.gotLast && st.sentLast) {
		st.err = err
	}
	st.wake()
}

func (st *Stream) wake() {
	st.readable.Broadcast()
	st.writable.Broadcast()
}

// take takes in a frame. The caller holds s.mu.
func (st *Stream) take(h header, payload []byte) error {
	switch h.kind {
	case data:
		return st.takeData(h, payload)
	case credit:
		if st.window += parseCredit(payload); st.window > Window {
			return broken("credit of stream %d for more than was sent", st.id)
		}
	case stop:
		st.stopped = true
	case end, reset:
		if st.gotLast {
			return broken("%s of stream %d, which has ended before", h.kind, st.id)
		}
		st.gotLast = true
		if h.kind == reset {
			st.stopped = true
			st.err = &RemoteError{printable(payload)}
		}
		st.s.forget(st)
	}
	st.wake()
	return nil
}

func (st *Stream) takeData(h header, payload []byte) error {
	switch {
	case st.gotLast:
		return broken("data of stream %d behind its end", st.id)
	case !st.records && (h.flag || h.length == 0):
		return broken("a part of a record on stream %d, which has none", st.id)
	case st.held+cost(h.length) > Window:
		return broken("more data of stream %d than there is room for", st.id)
	}
	st.held += cost(h.length)
	if !st.deaf {
		st.queue = append(st.queue, piece{payload, h.flag})
		st.readable.Signal()
	}
	return nil
}

// printable is a text that does a terminal no harm.
func printable(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, string(text))
}
