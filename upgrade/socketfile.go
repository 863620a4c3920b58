package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"afunix/internal/sockfile"
)

// ErrUnreachable says that clients cannot find a socket: its file is gone, or there is another one
// in its place.
var ErrUnreachable = errors.New("clients cannot find the socket")

// A socketFile is the file by which clients find a socket. It tells whether its path still leads to
// that socket, which nothing guarantees: files are removed by cleaners, by people, and by programs
// that remove what they find before they listen. The zero value is that of a socket without a file,
// which nothing can happen to.
type socketFile struct {
	Path []byte // absolute
	ID   []byte // of sockfile.ID; without one, any socket is taken for the right one
}

// fileAt returns the file of a socket that this process has just made. If it is gone already, then
// check will say so.
func fileAt(network, address string) socketFile {
	if !hasFile(network, address) {
		return socketFile{}
	}
	f := socketFile{Path: []byte(absolute(address))}
	if id, err := sockfile.ID(address); err == nil {
		f.ID = []byte(id)
	}
	return f
}

// fileOf returns the file of a socket that another process has made, which may have been removed
// since, and another one put in its place. The kernel says which it was; but on some file systems
// (Btrfs, overlayfs) it does not say what stat(2) does. So another file is one whose socket,
// besides, nobody has: this process has that socket.
func fileOf(socket descriptor, network, address string) socketFile {
	f := fileAt(network, address)
	if f.ID != nil && !isBoundTo(socket, address) {
		if _, stale := sockfile.StaleID(address); stale {
			f.ID = []byte("lost")
		}
	}
	return f
}

// message is f for a message.
func (f socketFile) message() *socketFile {
	if f.Path == nil {
		return nil
	}
	return &f
}

// check returns ErrUnreachable around what is wrong; nil also if this process cannot find out.
func (f socketFile) check() error {
	path := string(f.Path)
	if path == "" {
		return nil
	}
	id, err := sockfile.ID(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case err != nil:
		return nil
	case f.ID != nil && id != string(f.ID), f.ID == nil && !sockfile.IsSocket(path):
		return fmt.Errorf("%w: %s is another file", ErrUnreachable, path)
	}
	return nil
}

// remove removes the file, if it is still the socket's.
func (f socketFile) remove() error {
	if f.Path == nil || f.ID == nil {
		return nil
	}
	return sockfile.Unlink(string(f.Path), string(f.ID))
}

// absolute is path, wherever this process goes.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
