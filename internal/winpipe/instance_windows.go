package winpipe

import (
	"errors"

	"golang.org/x/sys/windows"
)

// An instance is a server's end that waits for its client.
type instance struct {
	pipe       windows.Handle
	foreign    bool           // another process has handed it on, which may have bound it to its own completion port
	event      windows.Handle // set when the wait has ended
	overlapped windows.Overlapped
}

// errNoClient: the wait for a client has failed, which concerns nobody.
var errNoClient = errors.New("no client")

// newInstance makes an instance of pipe id and starts its wait for a client. EACCES: first is true
// and the pipe exists, or it is somebody else's.
func newInstance(id pipeID, attributes *windows.SecurityAttributes, first bool) (*instance, error) {
	name, err := windows.UTF16PtrFromString(id.pipeName())
	if err != nil {
		return nil, err
	}
	open := uint32(windows.PIPE_ACCESS_DUPLEX | windows.FILE_FLAG_OVERLAPPED)
	if first {
		open |= windows.FILE_FLAG_FIRST_PIPE_INSTANCE
	}
	const mode = windows.PIPE_TYPE_MESSAGE | windows.PIPE_READMODE_MESSAGE | windows.PIPE_REJECT_REMOTE_CLIENTS
	h, err := windows.CreateNamedPipe(name, open, mode, windows.PIPE_UNLIMITED_INSTANCES, quota, quota, 0, attributes)
	if err != nil {
		return nil, errno(err)
	}
	in, err := startInstance(h, false)
	if err != nil {
		windows.CloseHandle(h)
	}
	return in, err
}

// startInstance makes an instance of h, which is the caller's if that fails, and starts its wait
// for a client.
func startInstance(h windows.Handle, foreign bool) (*instance, error) {
	event, err := newEvent()
	if err != nil {
		return nil, err
	}
	in := &instance{pipe: h, foreign: foreign, event: event}
	if err := in.listen(); err != nil {
		in.suspend()
		return nil, errno(err)
	}
	return in, nil
}

// listen starts the wait. A client may have come since the instance was made, and be gone again
// with its data still in the pipe: then there is nothing to wait for. The low bit of the event
// keeps the end of the wait from being posted to a completion port.
func (in *instance) listen() error {
	in.overlapped.HEvent = in.event | 1
	inFlight.Store(in, nil)
	switch err := windows.ConnectNamedPipe(in.pipe, &in.overlapped); err {
	case windows.ERROR_IO_PENDING:
		return nil
	case nil, windows.ERROR_PIPE_CONNECTED, windows.ERROR_NO_DATA:
		in.overlapped.Internal = 0 // STATUS_SUCCESS
		return windows.SetEvent(in.event)
	default:
		in.overlapped.Internal = 0
		return err
	}
}

// accept turns an instance that has a client, or whose wait has failed, into a pipe. The instance
// is gone afterwards, whatever the outcome. The system may have let the client in a moment before
// it says so here, and that moment is waited for.
func (in *instance) accept() (*Pipe, error) {
	var n uint32
	if err := windows.GetOverlappedResult(in.pipe, &in.overlapped, &n, true); err != nil {
		in.close()
		return nil, errNoClient
	}
	inFlight.Delete(in)
	windows.CloseHandle(in.event)
	from := newOrigin(in.pipe, true, "")
	if !in.foreign {
		return newPipe(in.pipe, from)
	}
	e, err := newForeign(in.pipe, passed)
	if err != nil {
		return nil, err
	}
	return wrap(e, &from)
}

// close gives up the instance, and its client if it has one.
func (in *instance) close() { windows.CloseHandle(in.suspend()) }

// suspend cancels the wait, and waits until the system is done with it. The pipe that it returns
// goes on taking in a client.
func (in *instance) suspend() windows.Handle {
	var n uint32
	windows.CancelIoEx(in.pipe, &in.overlapped) // fails if the wait has ended
	windows.GetOverlappedResult(in.pipe, &in.overlapped, &n, true)
	inFlight.Delete(in)
	windows.CloseHandle(in.event)
	return in.pipe
}
