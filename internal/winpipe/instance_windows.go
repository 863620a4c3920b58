package winpipe

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/windows"
)

// An instance is a server's end that waits for its client.
type instance struct {
	pipe       windows.Handle
	foreign    bool           // another process has handed it on, which may have bound it to its own completion port
	bell       windows.Handle // set when the wait has ended; the entrance's
	overlapped windows.Overlapped
}

// errNoClient: the wait for a client has failed, which concerns nobody.
var errNoClient = errors.New("no client")

// startInstance makes an instance of h, which is the caller's if that fails, and starts its wait
// for a client. A client may have come since h was made, and be gone again with its data still in
// the pipe: then there is nothing to wait for. The low bit of the event keeps the end of the wait
// from being posted to a completion port.
func startInstance(h, bell windows.Handle, foreign bool) (*instance, error) {
	in := &instance{pipe: h, foreign: foreign, bell: bell}
	in.overlapped.HEvent = bell | 1
	inFlight.Store(in, nil)
	err := windows.ConnectNamedPipe(h, &in.overlapped)
	if err == windows.ERROR_IO_PENDING {
		return in, nil
	}
	inFlight.Delete(in)
	in.overlapped.Internal = 0 // STATUS_SUCCESS
	switch err {
	case nil, windows.ERROR_PIPE_CONNECTED, windows.ERROR_NO_DATA:
		return in, nil
	}
	return nil, errno(err)
}

// ended reports whether the wait has ended: the status is the last thing that the system writes,
// before it sets the event.
func (in *instance) ended() bool {
	return atomic.LoadUintptr(&in.overlapped.Internal) != uintptr(windows.STATUS_PENDING)
}

// client returns the end of an instance whose wait has ended: errNoClient if without a client. The
// instance is gone afterwards.
func (in *instance) client() (windows.Handle, error) {
	inFlight.Delete(in)
	if in.overlapped.Internal != 0 {
		windows.CloseHandle(in.pipe)
		return 0, errNoClient
	}
	return in.pipe, nil
}

// accept turns an instance whose wait has ended into a pipe. The instance is gone afterwards,
// whatever the outcome.
func (in *instance) accept() (*Pipe, error) {
	h, err := in.client()
	if err != nil {
		return nil, err
	}
	from := newOrigin(h, true, "")
	if !in.foreign {
		return newPipe(h, from)
	}
	e, err := newForeign(h, passed)
	if err != nil {
		return nil, err
	}
	return wrap(e, &from)
}

// suspend cancels the wait, and waits until the system is done with it. The pipe that it returns
// goes on taking in a client. Nobody else waits for the bell meanwhile.
func (in *instance) suspend() windows.Handle {
	windows.CancelIoEx(in.pipe, &in.overlapped) // fails if the wait has ended
	for !in.ended() {
		windows.WaitForSingleObject(in.bell, windows.INFINITE)
	}
	inFlight.Delete(in)
	return in.pipe
}
