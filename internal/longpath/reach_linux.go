package longpath

import (
	"os"
	"path/filepath"
	"strconv"

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
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
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
	fd, err := unix.Open(filepath.Clean(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	return directory + strconv.Itoa(fd) + "/" + base, func() { unix.Close(fd) }, nil
}

// Longest returns how long the path of a socket in dir may be, which is written with a slash at its
// end, if it is longer than Max; 0 if there is no way to a longer one.
func Longest(dir string) int { return len(dir) + MaxBase }
