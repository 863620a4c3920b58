//go:build unix

package sockfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is
// called or this process ends. A file that was there before, and has something in it, stays.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryFlock(f); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, os.NewSyscallError("flock", err)
	}
	// The process that had the lock before may have removed the file after it was opened here.
	ours, err := f.Stat()
	if err == nil {
		var there fs.FileInfo
		there, err = os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there) {
			err = errLocked
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		if ours.Mode().IsRegular() && ours.Size() == 0 { // else it is somebody's who has made it for another purpose
			_ = os.Remove(path) // a file that stays is in nobody's way
		}
		f.Close()
	}, nil
}
