//go:build unix

package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/sockfile"
)

// maxAddress is how long a path in a socket's address may be: a NUL comes behind it (unix(7)).
const maxAddress = len(unix.RawSockaddrUnix{}.Path) - 1

// checkName refuses a path that leads to no file of this machine: there is none here.
func checkName(string) error { return nil }

// isSocketFile reports whether path is that of a socket, and nothing that somebody would miss.
func isSocketFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}

// fileID returns what tells the file from any other that is put in its place while its socket is
// open.
func fileID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return fmt.Sprint(st.Dev, " ", st.Ino), nil
}

// isBoundTo reports whether the kernel says that path leads to the file of the socket.
func isBoundTo(socket afunix.Sendable, path string) bool {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	inode, ok := sockfile.Inode(raw, path)
	return ok && inode == st.Ino
}

// removeIf removes the file, which had the id a moment ago.
func removeIf(path, _ string) error { return os.Remove(path) }

// replace renames a file to a name that another file may have, in one step.
func replace(from, to string) error { return os.Rename(from, to) }

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is
// called or this process ends.
func lock(path string) (unlock func() error, err error) {
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
	return func() error { return errors.Join(os.Remove(path), f.Close()) }, nil
}
