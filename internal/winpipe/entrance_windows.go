package winpipe

import (
	"net"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/locks"
	"afunix/internal/lookalike"
)

// An entrance is the instances of one pipe at which clients are waited for. They have one event
// between them, and any number of instances: WaitForMultipleObjects takes no more than 64.
type entrance struct {
	pipe       string // its name
	mode       uint32 // PIPE_TYPE_… and PIPE_READMODE_…
	buffer     uint32 // the quota of each direction
	attributes *windows.SecurityAttributes
	size       int // how many instances are to wait

	accepting locks.Mutex[locks.Accepting] // held by whoever waits for a client, or has what follows
	bell      windows.Handle               // set when the wait of any instance has ended; resets itself
	waiting   []*instance                  // the oldest first
	idle      []windows.Handle             // older ones at which nobody waits: handed on, to this process or by it
}

// newEntrance makes an entrance without instances.
func newEntrance(pipe string, mode, buffer uint32, attributes *windows.SecurityAttributes, size int) (*entrance, error) {
	bell, err := windows.CreateEventEx(nil, nil, 0, windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
	if err != nil {
		return nil, errno(err)
	}
	return &entrance{pipe: pipe, mode: mode, buffer: buffer, attributes: attributes, size: size, bell: bell}, nil
}

// add makes an instance and starts its wait for a client. EACCES: first is true and the pipe
// exists, or it is somebody else's.
func (e *entrance) add(first bool) error {
	name, err := windows.UTF16PtrFromString(e.pipe)
	if err != nil {
		return err
	}
	open := uint32(windows.PIPE_ACCESS_DUPLEX | windows.FILE_FLAG_OVERLAPPED)
	if first {
		open |= windows.FILE_FLAG_FIRST_PIPE_INSTANCE
	}
	h, err := windows.CreateNamedPipe(name, open, e.mode|windows.PIPE_REJECT_REMOTE_CLIENTS,
		windows.PIPE_UNLIMITED_INSTANCES, e.buffer, e.buffer, 0, e.attributes)
	if err != nil {
		return errno(err)
	}
	if err = e.start(h, false); err != nil {
		windows.CloseHandle(h)
	}
	return err
}

// addPrivate makes the first instance of a pipe of ours. If the name exists, then because
// connections have outlived an earlier listener to an abstract name: it can be used again, provided
// that it is the same user's. EADDRINUSE if it is not.
func (e *entrance) addPrivate() error {
	if err := e.add(true); err != syscall.EACCES {
		return err
	}
	if e.add(false) != nil {
		return syscall.EADDRINUSE
	}
	if owner, err := ownerOf(e.waiting[0].pipe, windows.SE_KERNEL_OBJECT); err != nil || owner != cred.Self().SID {
		return syscall.EADDRINUSE
	}
	return nil
}

// addPublic makes the first instance of a pipe with a public name. Whoever has that name has it:
// even a connection that has outlived its listener may be that of a server whose instances are all
// taken. Wine, which would let an instance join those of another server, is asked before.
func (e *entrance) addPublic() error {
	if onWine() && exists(e.pipe) {
		return errPublicTaken
	}
	err := e.add(true)
	if err == syscall.EACCES && exists(e.pipe) {
		return errPublicTaken
	}
	return err
}

// errPublicTaken: a pipe has the public name.
var errPublicTaken = &lookalike.Error{Errno: syscall.EADDRINUSE, What: "it is the name of a pipe that is there already, or of which there is a connection"}

// exists reports whether there is a pipe of that name, and so not if no pipe can have the name.
// Asking does not connect.
func exists(pipe string) bool {
	name, err := windows.UTF16PtrFromString(pipe)
	if err != nil {
		return false
	}
	switch waitNamedPipe(name, 1) {
	case windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND, // the second one on Wine, of a name that is too long
		windows.ERROR_INVALID_NAME, windows.ERROR_BAD_PATHNAME, windows.ERROR_FILENAME_EXCED_RANGE:
		return false
	}
	return true
}

// start has h wait for a client, which is the caller's if that fails.
func (e *entrance) start(h windows.Handle, foreign bool) error {
	in, err := startInstance(h, e.bell, foreign)
	if err == nil {
		e.waiting = append(e.waiting, in)
	}
	return err
}

// topUp waits at the instances that were handed on, and makes more until as many wait as should.
func (e *entrance) topUp() error {
	for len(e.idle) > 0 {
		if err := e.start(e.idle[0], true); err != nil {
			return err
		}
		e.idle = e.idle[1:]
	}
	for len(e.waiting) < e.size {
		if err := e.add(false); err != nil {
			return err
		}
	}
	return nil
}

// next waits for the next client, in the order in which clients came. It occupies a thread
// meanwhile. net.ErrClosed: one of the events stop has been set. To start a wait resets the bell,
// so all instances are looked at between that and waiting for the bell.
func (e *entrance) next(stop ...windows.Handle) (*instance, error) {
	if err := e.topUp(); err != nil && len(e.waiting) == 0 {
		return nil, err
	}
	events := append(stop, e.bell)
	for {
		if in := e.takeEnded(); in != nil {
			e.topUp() // the next client should not have to wait; if it fails, the next call tries again and says why
			return in, nil
		}
		n, err := windows.WaitForMultipleObjects(events, false, windows.INFINITE)
		switch {
		case err != nil:
			return nil, errno(err)
		case int(n-windows.WAIT_OBJECT_0) < len(stop):
			return nil, net.ErrClosed
		}
	}
}

// takeEnded takes the oldest instance whose wait has ended: the system leads clients to the oldest
// first.
func (e *entrance) takeEnded() *instance {
	for i, in := range e.waiting {
		if in.ended() {
			e.waiting = append(e.waiting[:i], e.waiting[i+1:]...)
			return in
		}
	}
	return nil
}

// suspend ends the waits. All instances are idle then, and still take in clients.
func (e *entrance) suspend() []windows.Handle {
	e.accepting.Lock() // whoever waited has left
	defer e.accepting.Unlock()
	for _, in := range e.waiting {
		e.idle = append(e.idle, in.suspend())
	}
	e.waiting = nil
	return e.idle
}

// close closes the instances, and the connections of clients that nobody has taken.
func (e *entrance) close() {
	for _, h := range e.suspend() {
		windows.CloseHandle(h)
	}
	e.accepting.Lock()
	defer e.accepting.Unlock()
	e.idle = nil
	windows.CloseHandle(e.bell)
}
