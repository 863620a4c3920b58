//go:build unix

package upgrade

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// firstActivated is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstActivated = 3

// maxActivated bounds what the environment may say.
const maxActivated = 1024

// takeActivated takes over what a service manager has passed to this process. Nobody after this
// sees it: neither child processes nor another call, unless New fails.
func takeActivated() ([]*passed, error) {
	n, names := activated(os.Getpid(), os.Getenv)
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	var errs []error
	var all []*passed
	for i := range n { // to the end, since all of them are ours to close
		f := os.NewFile(uintptr(firstActivated+i), "activated")
		p, err := activate(f, names[i])
		f.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("descriptor %d: %w", firstActivated+i, err))
			continue
		}
		all = append(all, p)
	}
	if len(errs) > 0 {
		leaveUnused(all)
		return nil, errors.Join(errs...)
	}
	return all, nil
}

func activate(f *os.File, name string) (*passed, error) {
	rights, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	defer rights.Close()
	p, err := newPassed(rights, name)
	if err == nil {
		p.findFile()
	}
	return p, err
}

// activated returns how many descriptors process pid has been passed, and their names: those that
// LISTEN_FDNAMES gives, if it gives all.
func activated(pid int, getenv func(string) string) (n int, names []string) {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || n > maxActivated || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return 0, nil
	}
	given := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		name := unnamed
		if len(given) == n && given[i] != "" {
			name = given[i]
		}
		names = append(names, name)
	}
	return n, names
}
