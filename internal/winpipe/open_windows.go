package winpipe

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// OpenPipe makes a pipe of h, an end that another process has handed on: see pipe.Opener. It owns h, also if it fails. What cannot be
// asked about h without waiting is asked in the background, and until then Write takes one packet; if h turns out not to be an end of a
// pipe of our kind, every call says EPROTO.
func OpenPipe(h windows.Handle, server bool) (*Pipe, error) {
	if !isFile(uintptr(h)) {
		windows.CloseHandle(h) // of what is not a file, which does not wait
		return nil, syscall.EPROTO
	}
	from := &origin{server: server, late: true}
	e, err := newForeign(h, examine(func() error { return from.learn(h) }))
	if err != nil {
		return nil, err
	}
	return openEnd(e, from)
}

// openEnd makes a pipe of e, which is being examined.
func openEnd(e *foreign, from *origin) (*Pipe, error) {
	p, err := wrap(e, from)
	if err != nil {
		return nil, err
	}
	go func() {
		e.settle() // whatever the outcome: what Write has taken is then written, or fails
		p.startEarly()
	}()
	return p, nil
}

// learn completes the origin of an end that was handed on. Nobody reads it before the examination has been passed.
func (o *origin) learn(h windows.Handle) error {
	if err := checkEnd(h, o.server); err != nil {
		return err
	}
	owner := ""
	if !o.server {
		var err error
		if owner, err = ownerOf(h, windows.SE_KERNEL_OBJECT); err != nil {
			return err
		}
	}
	known := newOrigin(h, o.server, owner)
	known.late = true
	*o = known
	return nil
}
