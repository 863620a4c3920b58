package winpipe

import (
	"net"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
)

// Suspend ends accepting without turning any client away: see pipe.Source. It returns the sentinel,
// the instances of the private pipe, and those of the public one. At least one instance has been
// open all the time, so a client that dials meanwhile finds the name and is let in. Such clients,
// and clients that have been let in already, are the new owner's. A socket file that is not on a
// drive (but on a share, say) stays when the new owner closes. EMSGSIZE: path and security
// descriptor are too long to be handed on.
func (l *Listener) Suspend() (handles []uintptr, state []byte, err error) {
	if err := l.settle(); err != nil {
		return nil, nil, err
	}
	s, err := l.stopAccepting()
	if err != nil {
		return nil, nil, err
	}
	handles = append(handles, uintptr(l.sentinel))
	for _, e := range l.entrances() {
		for _, h := range e.suspend() {
			handles = append(handles, uintptr(h))
		}
		if e == l.private {
			s.handles = len(handles) - 1
		}
	}
	return handles, s.append(nil), nil
}

// Resume undoes Suspend, unless Close was called. Accept waits at the instances again.
func (l *Listener) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.suspended = false
	l.stopped = make(chan struct{})
	windows.ResetEvent(l.stop) // fails only on what is no event
}

// stopAccepting makes Accept and AcceptGuest return, unless it fails, and returns the state from
// which another process goes on, but for the number of handles.
func (l *Listener) stopAccepting() (s sourceState, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isStopped() {
		return s, net.ErrClosed
	}
	s = sourceState{socketType: l.socketType, instances: l.private.size, id: l.id, sddl: l.sddl, public: l.name}
	if l.public != nil {
		s.guests = l.public.size
	}
	if l.file != nil && onDrive(l.file.path) {
		s.path, s.unlink = l.file.path, l.unlink
	}
	if s.len() > pipe.MaxSourceState {
		return s, syscall.EMSGSIZE
	}
	l.suspended = true
	l.wakeAccept()
	return s, nil
}

// OpenSource makes a listener of what Suspend returned in another process, or in this one. What
// cannot be asked about the handles without waiting is asked in the background: if they turn out
// not to be those of a listener with that state, Accept says EPROTO.
func (System) OpenSource(handles []uintptr, state []byte) (pipe.Source, error) {
	l, err := newSource(handles, state)
	if err != nil {
		for _, h := range handles {
			go windows.CloseHandle(windows.Handle(h)) // which may wait: see examination
		}
		return nil, err
	}
	l.exam = examine(l.check)
	return l, nil
}

func newSource(handles []uintptr, state []byte) (*Listener, error) {
	s, err := parseState(state)
	if err != nil || !s.fits(len(handles)) {
		return nil, syscall.EPROTO
	}
	for _, h := range handles {
		if !isFile(h) {
			return nil, syscall.EPROTO
		}
	}
	l, err := newListener(s)
	switch err {
	case nil:
	case syscall.EINVAL: // it is no security descriptor
		return nil, syscall.EPROTO
	default:
		return nil, err
	}
	l.unlink = s.unlink
	if s.path != "" {
		l.file = &boundFile{s.path, sockfile{s.socketType, s.id}}
	}
	l.sentinel = windows.Handle(handles[0])
	for i, h := range handles[1:] {
		e := l.private
		if l.public != nil && i >= s.handles {
			e = l.public
		}
		e.idle = append(e.idle, windows.Handle(h))
	}
	return l, nil
}

// check looks at the handles that were handed on. They must have the pipe's name: a process that
// may not serve a name must not make this process serve it instead.
func (l *Listener) check() error {
	if err := checkServer(l.sentinel, l.id.sentinelName()); err != nil {
		return err
	}
	for _, e := range l.entrances() {
		for _, h := range e.idle {
			if err := checkServer(h, e.pipe); err != nil {
				return err
			}
			if err := checkEnd(h, true, e.mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits until it is known whether the handles are what they should be: nil if they are.
// net.ErrClosed once Close or Suspend was called.
func (l *Listener) settle() error {
	l.mu.Lock()
	stopped := l.stopped
	l.mu.Unlock()
	select {
	case <-stopped:
		return net.ErrClosed
	default:
	}
	select {
	case <-l.exam.done:
		return l.exam.err
	case <-stopped:
		return net.ErrClosed
	}
}
