package winpipe

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// A half is one direction of a stream that is read or written with an event, at the cost of a
// thread for each call that waits.
type half struct {
	turn locks.Mutex[locks.StreamTurn] // one call at a time
	io   *timedIO

	mu       locks.Mutex[locks.StreamDeadline]
	deadline time.Time
	stopped  bool // by Close
}

// open makes what a half needs.
func (d *half) open() (err error) {
	d.io, err = newTimedIO()
	return err
}

// do reads or writes, until the deadline. Whoever changes that ends the operation under way, which
// then begins again. The caller has the turn.
func (d *half) do(operation func(windows.Handle, []byte, uint32) (int, bool, error), h windows.Handle, b []byte) (int, error) {
	for {
		patience, err := d.patience()
		if err != nil {
			return 0, err
		}
		n, _, err := operation(h, b, patience)
		switch {
		case err != windows.ERROR_OPERATION_ABORTED:
			return n, err
		case n > 0:
			return n, nil
		}
	}
}

// longestPatience is how many milliseconds an operation waits at most, before it begins again.
const longestPatience = 1 << 30

// patience lets an operation wait again, and says for how many milliseconds. A deadline that is set
// from now on stops that operation.
func (d *half) patience() (uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return 0, net.ErrClosed
	}
	d.io.resume()
	if d.deadline.IsZero() {
		return windows.INFINITE, nil
	}
	rest := time.Until(d.deadline)
	if rest <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return uint32(min(rest/time.Millisecond+1, longestPatience)), nil
}

func (d *half) setDeadline(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = t
	d.io.stop()
}

// stop ends the call under way, and all to come.
func (d *half) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.io.stop()
}

// close is called when no call is under way any more.
func (d *half) close() { d.io.close() }
