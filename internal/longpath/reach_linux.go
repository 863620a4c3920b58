package longpath

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// directory is where the descriptors of this process are, by their numbers.
const directory = "/proc/self/fd/"

// MaxBase is how many bytes the last part of a long path may have, in a socket's address behind the
// descriptor of its directory.
const MaxBase = Max - len(directory) - len("2147483647/")

// ToDial returns a name by which connect(2) finds what name leads to, until release is called. To a
// path that is too long for an address it is that of a descriptor, which leads to the very file.
func ToDial(name string) (short string, release func(), err error) {
	if isAbstract(name) || len(name) <= Max {
		return direct(name)
	}
	fd, err := open(name, 0)
	if err != nil {
		return "", nil, err
	}
	return directory + strconv.Itoa(fd), func() { unix.Close(fd) }, nil
}

// ToBind returns a name by which bind(2) makes a socket file of that name, until release is called.
// To a path that is too long for an address it leads by way of the descriptor of the directory. The
// kernel shows it as the name of the socket, of which the last part alone has a meaning later on.
func ToBind(name string) (short string, release func(), err error) {
	if isAbstract(name) || len(name) <= Max {
		return direct(name)
	}
	dir, base := filepath.Split(name)
	if len(base) > MaxBase {
		return "", nil, &TooLong{"the last part of a long path", len(base), MaxBase}
	}
	if _, err := os.Stat(directory); err != nil {
		return "", nil, Check(name) // there is no other way
	}
	fd, err := open(filepath.Clean(dir), unix.O_DIRECTORY)
	if err != nil {
		return "", nil, err
	}
	return directory + strconv.Itoa(fd) + "/" + base, func() { unix.Close(fd) }, nil
}

// open opens what is only a place. A path that no file can have is too long for a socket, too.
func open(path string, flags int) (int, error) {
	fd, err := unix.Open(path, flags|unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENAMETOOLONG {
		return -1, Check(path)
	}
	return fd, err
}

// Longest returns how long the path of a socket in dir may be, which is written with a slash at its
// end, if it is longer than Max; 0 if there is no way to a longer one.
func Longest(dir string) int { return len(dir) + MaxBase }

// IsWay reports whether the name of a socket, as the kernel shows it, is what ToBind has returned
// for another one.
func IsWay(name string) bool { return strings.HasPrefix(name, directory) }
