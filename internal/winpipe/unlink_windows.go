package winpipe

import (
	"errors"
	"syscall"

	"afunix/internal/winfile"
)

// Unlink does what comes first in Close: see pipe.Source. While somebody else has the file open
// it takes half a second. So long, and no longer than an examination, it waits for handles that
// were handed on and have not been looked at: the file stays if they are not those of a listener.
func (l *Listener) Unlink() error { return l.unlinked() }

// unlinkFile removes the socket file, if it is to go.
func (l *Listener) unlinkFile() error {
	l.mu.Lock()
	unlink := l.unlink && l.file != nil
	l.mu.Unlock()
	if !unlink {
		return nil
	}
	if <-l.exam.done; l.exam.err != nil {
		return nil
	}
	return l.file.remove()
}

// remove unlinks the file, unless another one has taken its place. That it is gone already is no
// error. A file that cannot be unlinked is made a vacant one, which is enough for the next Listen:
// see sockfile. EBUSY: not even that was possible, and the file stays as if its listener had
// crashed.
func (f *boundFile) remove() error {
	vacant := sockfile{socketType: f.content.socketType}
	err := winfile.Remove(f.path, f.content.append(nil), vacant.append(nil))
	if system, ok := errors.AsType[syscall.Errno](err); ok {
		return errno(system)
	}
	return err
}
