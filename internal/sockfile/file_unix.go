//go:build unix

package sockfile

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A File is the socket file of a listener. The methods of nil, that of a listener without one, do
// nothing.
type File struct {
	path     string
	absolute string // the process may change its directory
	made     id     // which file it is, if this process has made it
	unlink   atomic.Bool
	closing  sync.Once
}

// An id tells a file from all others. As long as a socket is open its file keeps it, even if it has
// been removed: the kernel holds on to it.
type id struct{ device, inode uint64 }

// Made returns the file that bind(2) has just made at path. It goes with its listener, unless told
// otherwise.
func Made(path string) *File {
	if !hasFile(path) {
		return nil
	}
	f := newFile(path)
	f.made, _ = at(unix.AT_FDCWD, path) // if it is gone already, there will be nothing to remove
	f.unlink.Store(true)
	return f
}

// Received returns the file of a socket that another process has bound, to path as somebody says.
// It stays, unless told otherwise.
func Received(path string) *File {
	if !hasFile(path) {
		return nil
	}
	return newFile(path)
}

func newFile(path string) *File {
	f := &File{path: path, absolute: path}
	if abs, err := filepath.Abs(path); err == nil { // else the directory has no name
		f.absolute = abs
	}
	return f
}

// Absolute returns the path of the file, absolute if that can be known; "" if there is none.
func (f *File) Absolute() string {
	if f == nil {
		return ""
	}
	return f.absolute
}

// SetUnlink says whether the file goes with its listener.
func (f *File) SetUnlink(unlink bool) {
	if f != nil {
		f.unlink.Store(unlink)
	}
}

// Unlinks reports whether it does.
func (f *File) Unlinks() bool { return f != nil && f.unlink.Load() }

// Close removes the file, if it is to go, and if path leads to the file of socket, the listener's,
// which is closed after that: so it is never a stale one. Only the first call does, and the others
// wait for that one. That nothing could be removed is no error, as in package net.
func (f *File) Close(socket syscall.RawConn) {
	if f != nil {
		f.closing.Do(func() { f.close(socket) })
	}
}

func (f *File) close(socket syscall.RawConn) {
	if !f.Unlinks() {
		return
	}
	_ = socket.Control(func(fd uintptr) { // it fails if the socket is closed, the file not
		want := f.made
		if want == (id{}) {
			var ok bool
			if want, ok = bound(fd, f.path); !ok {
				return
			}
		}
		f.remove(want)
	})
}

// Remove removes the file, if path leads to the one that this process has made. Others may have the
// socket still.
func (f *File) Remove() {
	if f != nil && f.made != (id{}) {
		f.remove(f.made)
	}
}

// remove removes the file want. The file may be out of reach by its absolute path, and not by the
// path that was given.
func (f *File) remove(want id) {
	if !remove(f.absolute, want) {
		remove(f.path, want)
	}
}

// remove removes path, if that is the file want. The directory is held meanwhile, so that nobody
// can put another in its place.
func remove(path string, want id) (removed bool) {
	dir, err := unix.Open(filepath.Dir(path), forDirectory|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	name := filepath.Base(path)
	got, ok := at(dir, name)
	return ok && got == want && unix.Unlinkat(dir, name, 0) == nil
}

// at returns which socket file path is, seen from dir. A symbolic link is none.
func at(dir int, path string) (id, bool) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || uint32(st.Mode)&unix.S_IFMT != unix.S_IFSOCK {
		return id{}, false
	}
	return id{uint64(st.Dev), uint64(st.Ino)}, true
}
