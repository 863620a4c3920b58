package winpipe

import (
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
)

// System makes the message pipes of Windows.
type System struct{}

var _ pipe.System = System{}

// OpenPipe makes a pipe of an end that another process has handed on. What cannot be asked about
// the handle without waiting is asked in the background, and until then Write takes one packet; if
// it turns out not to be an end of a pipe of our kind, every call says EPROTO.
func (System) OpenPipe(v uintptr, server bool) (pipe.Pipe, error) {
	h := windows.Handle(v)
	if !isFile(v) {
		windows.CloseHandle(h) // of what is not a file, which does not wait
		return nil, syscall.EPROTO
	}
	from := &origin{server: server, late: true}
	e, err := newForeign(h, examine(func() error { return from.learn(h) }))
	if err != nil {
		return nil, err
	}
	p, err := openEnd(e, from)
	if err != nil {
		return nil, err
	}
	return p, nil
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

// learn completes the origin of an end that was handed on. Nobody reads it before the examination
// has been passed.
func (o *origin) learn(h windows.Handle) error {
	if err := checkEnd(h, o.server, messageMode); err != nil {
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
