//go:build unix

package upgrade

import (
	"os"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/sockfile"
)

// maxAddress is how long a path in a socket's address may be: a NUL comes behind it (unix(7)).
const maxAddress = len(unix.RawSockaddrUnix{}.Path) - 1

// checkName refuses a path that leads to no file of this machine: there is none here.
func checkName(string) error { return nil }

// isPipe reports whether the address is the name of a pipe of Windows.
func isPipe(string) bool { return false }

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

// replace renames a file to a name that another file may have, in one step.
func replace(from, to string) error { return os.Rename(from, to) }
