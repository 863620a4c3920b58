package descriptor

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// The system tells what kind of file a file object is by calls that first take the object's lock,
// if the object was opened for synchronous I/O. A process that reads from such a pipe holds that
// lock until there is something to read, and the wait for the lock cannot be cancelled. Whether a
// handle was opened for synchronous I/O is itself such a question. So these questions are asked on
// a goroutine of their own, which may have to be left behind.
//
// A question that is not answered is an answer: the file is a pipe, or a console, which is then
// passed like one. What is on a disk is never held for so long; and a socket of package net is not
// synchronous, so that questions about it do not wait.

// lateAfter is how long a question may take that does not wait. It has to be late twice in a row,
// because every question is late once after the machine was suspended. (Tests have less time.)
var lateAfter = 125 * time.Millisecond

// maxLeft bounds how many questions may be left behind. Each holds a thread, until the operation
// has ended that it waits for.
const maxLeft = 256

// left is how many are.
var left atomic.Int32

// unasked is the kind of a file that is to be asked about.
const unasked Kind = 255

func isUnasked(a Asked) bool { return a.Kind == unasked }

// A question is what [fileKind] is to say about handles, one after the other. They share a
// goroutine, since to start one costs more than an answer.
type question struct {
	handles []windows.Handle
	kinds   []Kind        // as long as handles
	known   atomic.Int32  // so many of kinds are
	err     error         // why there are no more, unless all are known
	asked   atomic.Bool   // a thread is at it
	left    atomic.Bool   // nobody waits for more answers
	answer  chan struct{} // known and err are final; has room for one
	late    *time.Timer
	ask     func() // the method value of put, made once, because making it allocates
}

var questions = sync.Pool{New: func() any {
	q := &question{answer: make(chan struct{}, 1), late: time.NewTimer(time.Hour)}
	q.late.Stop()
	q.ask = q.put
	return q
}}

// lookAt is fileKind, but for tests.
var lookAt = fileKind

// askKinds is fileKind of those of asked that are unasked, but does not wait for what is under way
// on them. EBUSY: that would leave too many questions behind. An error is about asked[n].
func askKinds(asked []Asked) (n int, err error) {
	for {
		n = slices.IndexFunc(asked, isUnasked)
		switch {
		case n < 0:
			return len(asked), nil
		case err != nil:
			return n, err
		case left.Load() >= maxLeft:
			return n, syscall.EBUSY
		}
		err = askUntilLate(asked)
	}
}

// askUntilLate is askKinds up to a file that gives no answer in time, and so is a Pipe. An error is
// about the first that is still unasked.
func askUntilLate(asked []Asked) error {
	q := questions.Get().(*question)
	q.about(asked)
	go q.ask()
	inTime := q.answered()
	known := q.kinds[:q.known.Load()]
	for i := range asked {
		switch {
		case !isUnasked(asked[i]):
		case len(known) > 0:
			asked[i].Kind, known = known[0], known[1:]
		case !inTime:
			asked[i].Kind = Pipe
			q.leave()
			return nil
		}
	}
	if !inTime { // the last answer came as it was given up
		q.leave()
		return nil
	}
	defer questions.Put(q)
	return q.err
}

// about makes q a question about those of asked that are unasked.
func (q *question) about(asked []Asked) {
	q.handles, q.kinds = q.handles[:0], q.kinds[:0]
	for _, a := range asked {
		if isUnasked(a) {
			q.handles, q.kinds = append(q.handles, windows.Handle(a.Value)), append(q.kinds, unasked)
		}
	}
	q.err = nil
	q.known.Store(0)
	q.asked.Store(false)
}

// put puts the question to the system.
func (q *question) put() {
	q.asked.Store(true)
	for i, h := range q.handles {
		if q.left.Load() {
			break
		}
		if q.kinds[i], q.err = lookAt(h); q.err != nil {
			break
		}
		q.known.Add(1)
	}
	q.answer <- struct{}{}
}

// answered waits for the answers, and reports whether all are there before one is late.
func (q *question) answered() bool {
	known := q.known.Load()
	for late := 0; late < 2; {
		q.late.Reset(lateAfter)
		select {
		case <-q.answer:
			q.late.Stop()
			return true
		case <-q.late.C:
			switch now := q.known.Load(); {
			case now > known:
				known, late = now, 0
			case q.asked.Load():
				late++
			}
		}
	}
	return false
}

// leave counts q among those that are left behind, until the system has answered.
func (q *question) leave() {
	q.left.Store(true)
	left.Add(1)
	go func() {
		<-q.answer
		left.Add(-1)
	}()
}
