package descriptor

import (
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

// A question is what [fileKind] is to say about a handle.
type question struct {
	handle windows.Handle
	asked  atomic.Bool // a thread is at it
	kind   Kind
	err    error
	answer chan struct{} // kind and err are known; has room for one
	late   *time.Timer
	ask    func() // the method value of put, made once, because making it allocates
}

var questions = sync.Pool{New: func() any {
	q := &question{answer: make(chan struct{}, 1), late: time.NewTimer(time.Hour)}
	q.late.Stop()
	q.ask = q.put
	return q
}}

// lookAt is fileKind, but for tests.
var lookAt = fileKind

// askKind is fileKind, but does not wait for what is under way on h. EBUSY: that would leave too
// many questions behind.
func askKind(h windows.Handle) (Kind, error) {
	if left.Load() >= maxLeft {
		return Other, syscall.EBUSY
	}
	q := questions.Get().(*question)
	q.handle = h
	q.asked.Store(false)
	go q.ask()
	if !q.answered() {
		left.Add(1)
		go func() {
			<-q.answer
			left.Add(-1)
		}()
		return Pipe, nil
	}
	k, err := q.kind, q.err
	questions.Put(q)
	return k, err
}

// put puts the question to the system.
func (q *question) put() {
	q.asked.Store(true)
	q.kind, q.err = lookAt(q.handle)
	q.answer <- struct{}{}
}

// answered waits for the answer, and reports whether there is one before it is late.
func (q *question) answered() bool {
	for late := 0; late < 2; {
		q.late.Reset(lateAfter)
		select {
		case <-q.answer:
			q.late.Stop()
			return true
		case <-q.late.C:
			if q.asked.Load() {
				late++
			}
		}
	}
	return false
}
