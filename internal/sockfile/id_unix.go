//go:build unix

package sockfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
)

// IsSocket reports whether path is that of a socket file, and nothing that somebody would miss. A
// symbolic link is none.
func IsSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}

// ID returns what tells the file from any other that is put in its place while its socket is open.
func ID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return fmt.Sprint(st.Dev, " ", st.Ino), nil
}

// removeIf removes the file, which had the id a moment ago.
func removeIf(path, _ string) error { return os.Remove(path) }

// isStale reports whether nobody has the socket of the file any more.
func isStale(path string) bool { return probe(path) == unix.ECONNREFUSED }

// Bound reports whether somebody has the socket of the file path: listening or not, here or in
// another process. It is false if that cannot be found out.
func Bound(path string) bool {
	switch probe(path) {
	case nil, unix.EPROTOTYPE, unix.EPERM, unix.EISCONN:
		return true
	}
	return false
}

// probe asks the kernel whether a socket is bound to the file, by connecting a datagram socket to
// it. For another type of socket that is EPROTOTYPE, before the kernel looks whether that socket
// listens, or has room in its backlog: so the question takes no client's place, and a backlog that
// is full is no ECONNREFUSED, as connecting a stream would be on macOS and the BSDs. A datagram
// socket does not notice who is connected to it. (net/unix/af_unix.c: unix_find_other;
// sys/kern/uipc_usrreq.c: unp_connectat.)
func probe(path string) error {
	way, release, err := longpath.ToDial(path)
	if err != nil {
		return err
	}
	defer release()
	fd, err := newDatagramSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: way})
}

func newDatagramSocket() (int, error) {
	syscall.ForkLock.RLock() // not every system has SOCK_CLOEXEC
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
