package winpipe

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// An end is the handle of one end of a pipe, with the way in which this process may wait for
// packets there: [polled] for the handles that it made itself, [foreign] for those that another
// process has handed on.
type end interface {
	// Read waits for a message, if apart with the peer in another process (see eager). waited: Read
	// is known to have found the pipe empty. os.ErrDeadlineExceeded: wake was called, and nothing
	// has been read. net.ErrClosed: so was Close. Other errors are the system's; the end of the
	// pipe may also be io.EOF.
	Read(b []byte, apart bool) (n int, waited bool, err error)

	// wake makes Read, also the one under way, fail with os.ErrDeadlineExceeded from now on, until
	// rest undoes that.
	wake()
	rest()

	// use calls f with the handle, which stays open meanwhile. net.ErrClosed: it is closed. EAGAIN:
	// it is not known yet whether f would have to wait. EPROTO: it is not known to be a pipe such
	// as ours.
	use(f func(handle uintptr)) error

	// settle waits until use does not fail with EAGAIN any more.
	settle() error

	// lend is use for an f that does no I/O.
	lend(f func(handle uintptr)) error

	// Close waits for the operation under way, which it wakes, and closes the handle.
	Close() error
}

// polled is an end that is bound to the poller of Go's runtime: a goroutine that reads holds no
// thread, but for a moment where messages come one upon the other (see eager).
type polled struct {
	file *os.File
	raw  syscall.RawConn

	eager eager
}

// completionModes spare a polled end the trips that tell what its caller knows already: what
// succeeds at once is not posted to the completion port as well, and the event of the file object,
// for which nobody waits, is not set. All versions of Go can do with them, but each has to find
// them there:
//   - os.NewFile of Go 1.26 sets them itself. Since 1.27.3 it leaves the modes of a handle that it
//     is given alone, because whoever shares the file object may not expect them (golang/go#80979),
//     and asks once, at that moment, whether what succeeds at once is posted.
//   - Whoever sets them later, by any handle of the file object, has that poller wait for ever for
//     what is not posted any more. So it is done before os.NewFile; and because "after a mode has
//     been set for a file handle, it cannot be removed" (SetFileCompletionNotificationModes,
//     Microsoft), nobody to whom the end moves can change anything for an owner who goes on with
//     it, since the move has failed.
//
// The modes go with the file object when the end moves, or a child inherits it. There they mean
// nothing: such an end is [foreign], whose operations have an event of their own, which is "still
// signaled", and never post anything. The same holds for writing, here as there. Nobody else has
// the file object before newPolled: this process has made it, and a server's end that was handed on
// is foreign also when it comes back.
const completionModes = windows.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | windows.FILE_SKIP_SET_EVENT_ON_HANDLE

// newPolled wraps h, which it owns from now on, even if it fails.
func newPolled(h windows.Handle) (*polled, error) {
	if err := windows.SetFileCompletionNotificationModes(h, completionModes); err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	e := &polled{file: os.NewFile(uintptr(h), "pipe")}
	err := e.file.SetReadDeadline(time.Time{}) // fails if the poller did not take the handle
	if err == nil {
		e.raw, err = e.file.SyscallConn()
	}
	if err != nil {
		e.file.Close()
	}
	return e, err
}

func (e *polled) Read(b []byte, apart bool) (n int, waited bool, err error) {
	if apart {
		if n, waited, err = e.eager.read(e.raw, b); err != windows.ERROR_OPERATION_ABORTED {
			return n, waited, err
		}
	}
	began := time.Now()
	n, err = e.file.Read(b)
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	e.eager.learn(time.Since(began))
	return n, false, err
}

// wake and rest can only fail if the file is closed, which wakes the reader as well.
func (e *polled) wake() {
	e.file.SetReadDeadline(time.Unix(1, 0))
	e.eager.stop()
}

func (e *polled) rest() {
	e.file.SetReadDeadline(time.Time{})
	e.eager.resume()
}

func (e *polled) use(f func(handle uintptr)) error {
	if e.raw.Control(f) != nil { // the only error is that the file is closed
		return net.ErrClosed
	}
	return nil
}

func (e *polled) settle() error                     { return nil }
func (e *polled) lend(f func(handle uintptr)) error { return e.use(f) }

func (e *polled) Close() error {
	e.eager.stop()
	err := e.file.Close() // waits for calls that use the handle
	e.eager.close()
	return err
}

// SyscallConn gives access to the handle, by which the end is handed on.
func (p *Pipe) SyscallConn() syscall.RawConn { return rawConn(p.control) }

// control calls f with the handle, which stays open meanwhile.
func (p *Pipe) control(f func(fd uintptr)) error {
	if p.closed.Load() { // although the handle may still be open: see Close
		return net.ErrClosed
	}
	return p.end.lend(f)
}

// A rawConn gives access to a handle: it is the Control of a syscall.RawConn.
type rawConn func(f func(fd uintptr)) error

// Control calls f with the handle, which stays open meanwhile.
func (c rawConn) Control(f func(fd uintptr)) error { return c(f) }

// Read is not supported: there is no waiting for a pipe to become readable.
func (rawConn) Read(func(fd uintptr) bool) error { return errors.ErrUnsupported }

// Write is not supported.
func (rawConn) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
