//go:build unix

package activation

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"afunix/internal/activated"

	"golang.org/x/sys/unix"
)

// firstDescriptor is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstDescriptor = 3

// maxDescriptors bounds what the environment may say.
const maxDescriptors = 4096

// files takes over what the environment says.
func files() ([]*os.File, error) {
	names := passedTo(os.Getpid(), os.Getenv)
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	var all []*os.File
	var errs []error
	for i, name := range names { // to the end, since all of them are ours to close
		f, err := file(firstDescriptor+i, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, f)
	}
	if err := errors.Join(errs...); err != nil {
		closeAll(all)
		return nil, err
	}
	return all, nil
}

// file takes a descriptor over, which child processes do not inherit any more.
func file(fd int, name string) (*os.File, error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("descriptor %d, which LISTEN_FDS counts: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// passedTo returns the names of the descriptors that process pid has been passed: those that
// LISTEN_FDNAMES gives, if it gives all.
func passedTo(pid int, getenv func(string) string) (names []string) {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || n > maxDescriptors || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return nil
	}
	given := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		name := activated.Unnamed
		if len(given) == n && given[i] != "" {
			name = given[i]
		}
		names = append(names, name)
	}
	return names
}

func closeAll(all []*os.File) {
	for _, f := range all {
		f.Close()
	}
}
