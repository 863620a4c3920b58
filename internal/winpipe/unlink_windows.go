package winpipe

import (
	"errors"
	"syscall"

	"afunix/internal/winfile"
)

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
