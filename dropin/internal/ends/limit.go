//go:build linux || windows

package ends

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"
)

// A limit is how long a call may wait, when the socket's descriptor is one that waits: SO_RCVTIMEO
// and SO_SNDTIMEO. It bounds system calls alone, as in the kernel: package net's connections do not
// wait in those.
type limit time.Duration

const (
	unlimited limit = 0
	noWait    limit = -1
)

// unless is l, but not for a call whose flags say that it is not to wait.
func (l limit) unless(flags int) limit {
	if flags&MsgDontwait != 0 {
		return noWait
	}
	return l
}

// limitOf is the limit that was set, but not for a descriptor that does not wait.
func limitOf(fd int, set *atomic.Int64) limit {
	if nonblocking(fd) {
		return noWait
	}
	return limit(set.Load())
}

// within calls op by Do, for which it is os.ErrDeadlineExceeded if it waits longer than l; or by
// DoNow.
func (r *Ref) within(l limit, op func() error) error {
	switch l {
	case noWait:
		return r.DoNow(op)
	case unlimited:
		return r.Do(op)
	}
	var late atomic.Bool
	over := make(chan struct{})
	defer close(over)
	alarm := time.AfterFunc(time.Duration(l), func() {
		late.Store(true)
		r.interruptUntil(over)
	})
	defer alarm.Stop()
	return r.do(op, late.Load)
}

// interruptUntil wakes every call that waits, and lets none wait until the one that is meant is
// over.
func (e *End) interruptUntil(over <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interrupt()
	e.mu.Unlock()
	<-over
	e.mu.Lock()
	e.resume()
}

// newLimit is what the kernel makes of a struct timeval (sock_set_timeout): EDOM if that has no
// number of microseconds. No time is no limit, and less is not to wait.
func newLimit(tv syscall.Timeval) (limit, error) {
	seconds, micros := int64(tv.Sec), int64(tv.Usec)
	switch {
	case micros < 0 || micros >= 1e6:
		return 0, syscall.EDOM
	case seconds < 0:
		return noWait, nil
	case seconds >= math.MaxInt64/int64(time.Second):
		return unlimited, nil
	}
	return limit(time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond), nil
}

// timeval is what the kernel makes of it when it is asked.
func (l limit) timeval() syscall.Timeval {
	return syscall.NsecToTimeval(int64(max(l, 0)))
}
