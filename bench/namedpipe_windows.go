package bench

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/windows"
)

// An engine makes something that reads and writes of the overlapped handle of a message pipe, which
// it owns.
type engine func(windows.Handle) (io.ReadWriteCloser, error)

// openFile is the engine of Go's own runtime.
func openFile(h windows.Handle) (io.ReadWriteCloser, error) {
	f := os.NewFile(uintptr(h), "bare")
	if err := f.SetDeadline(time.Time{}); err != nil { // then the poller did not take it
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// namedPipeContender is an engine on both ends of a message pipe like that of the pipe transport,
// with no protocol.
func namedPipeContender(name, about string, open engine) Contender {
	return Contender{
		Name:  name,
		About: about,
		Pair:  func() (a, b End, err error) { return namedPipePair(open) },
		Listen: func(string) (Listener, string, error) {
			l := &pipeListener{open: open, address: `\\.\PIPE\afunix-bench-` + rand.Text()}
			if err := l.listen(); err != nil {
				return nil, "", err
			}
			return l, l.address, nil
		},
		Dial: func(address string) (End, error) {
			h, err := dialPipe(address)
			if err != nil {
				return nil, err
			}
			f, err := open(h)
			if err != nil {
				return nil, err
			}
			return handOne(f)
		},
	}
}

// quota is what the pipe transport asks for.
const quota = 1 << 20

func newInstance(address string) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(address)
	if err != nil {
		return 0, err
	}
	return windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_MESSAGE|windows.PIPE_READMODE_MESSAGE|windows.PIPE_REJECT_REMOTE_CLIENTS,
		windows.PIPE_UNLIMITED_INSTANCES, quota, quota, 0, nil)
}

func dialPipe(address string) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(address)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
	if err != nil {
		return 0, err
	}
	mode := uint32(windows.PIPE_READMODE_MESSAGE)
	if err := windows.SetNamedPipeHandleState(h, &mode, nil, nil); err != nil {
		return 0, errors.Join(err, windows.CloseHandle(h))
	}
	return h, nil
}

func namedPipePair(open engine) (a, b End, err error) {
	address := `\\.\PIPE\afunix-bench-` + rand.Text()
	server, err := newInstance(address)
	if err != nil {
		return nil, nil, err
	}
	client, err := dialPipe(address)
	if err != nil {
		return nil, nil, errors.Join(err, windows.CloseHandle(server))
	}
	x, err := open(server)
	if err != nil {
		return nil, nil, errors.Join(err, windows.CloseHandle(client))
	}
	y, err := open(client)
	if err != nil {
		return nil, nil, errors.Join(err, x.Close())
	}
	return handPair(x, y)
}

// A pipeListener has one instance that waits for its client. (go-winio's own listener does not work
// on Wine.)
type pipeListener struct {
	open    engine
	address string

	mu        sync.Mutex
	accepting sync.WaitGroup
	closed    bool
	handle    windows.Handle
	event     windows.Handle // set when there is a client, or by Close
	wait      windows.Overlapped
}

// listen makes the next instance. On an error there is none.
func (l *pipeListener) listen() (err error) {
	if l.handle, err = newInstance(l.address); err != nil {
		return err
	}
	if l.event, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return errors.Join(err, windows.CloseHandle(l.handle))
	}
	l.wait = windows.Overlapped{HEvent: l.event}
	switch err := windows.ConnectNamedPipe(l.handle, &l.wait); err {
	case windows.ERROR_IO_PENDING:
		return nil
	case nil, windows.ERROR_PIPE_CONNECTED, windows.ERROR_NO_DATA:
		return windows.SetEvent(l.event)
	default:
		return errors.Join(err, windows.CloseHandle(l.event), windows.CloseHandle(l.handle))
	}
}

// Accept is called by one goroutine at a time.
func (l *pipeListener) Accept() (End, error) {
	event, err := l.begin()
	if err != nil {
		return nil, err
	}
	_, err = windows.WaitForSingleObject(event, windows.INFINITE)
	l.accepting.Done()
	if err != nil {
		return nil, err
	}
	h, err := l.next()
	if err != nil {
		return nil, err
	}
	f, err := l.open(h)
	if err != nil {
		return nil, err
	}
	return handOne(f)
}

func (l *pipeListener) begin() (windows.Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, os.ErrClosed
	}
	l.accepting.Add(1)
	return l.event, nil
}

// next takes the instance that has a client, and makes another.
func (l *pipeListener) next() (windows.Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, os.ErrClosed
	}
	h := l.handle
	windows.CloseHandle(l.event)
	if err := l.listen(); err != nil {
		l.closed = true
		return 0, errors.Join(err, windows.CloseHandle(h))
	}
	return h, nil
}

// Close ends the wait for a client.
func (l *pipeListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	l.closed = true
	var n uint32
	windows.CancelIoEx(l.handle, &l.wait) // fails if there is nothing to cancel
	windows.GetOverlappedResult(l.handle, &l.wait, &n, true)
	windows.SetEvent(l.event)
	l.accepting.Wait()
	return errors.Join(windows.CloseHandle(l.event), windows.CloseHandle(l.handle))
}
