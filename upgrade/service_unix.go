//go:build unix

package upgrade

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"afunix"
)

// firstActivated is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstActivated = 3

// maxActivated bounds what the environment may say.
const maxActivated = 1024

// takeActivated takes over the sockets that a service manager has passed to this process, by the names that it gave them. Nobody
// after this sees them: neither child processes nor another call.
func takeActivated() ([]*offer, error) {
	n, names := activated(os.Getpid(), os.Getenv)
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	var offers []*offer
	var errs []error
	for i := range n { // to the end, since all of them are ours to close
		f := os.NewFile(uintptr(firstActivated+i), "activated")
		rights, err := asRights(f)
		f.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("descriptor %d: %w", firstActivated+i, err))
			continue
		}
		offers = append(offers, &offer{key: key{Name: names[i]}, kept: true, rights: rights})
	}
	if len(errs) > 0 {
		refuseAll(&offers)
	}
	return offers, errors.Join(errs...)
}

// activated returns how many descriptors process pid has been passed, and their names: those that LISTEN_FDNAMES gives, and else
// "unknown", as in sd_listen_fds_with_names(3).
func activated(pid int, getenv func(string) string) (n int, names []string) {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || n > maxActivated || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return 0, nil
	}
	given := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		name := "unknown"
		if len(given) == n && given[i] != "" {
			name = given[i]
		}
		names = append(names, name)
	}
	return n, names
}

// asRights makes of an open file what ReadMsg would have received: it knows what it is, and child processes do not inherit it.
func asRights(f *os.File) (afunix.Rights, error) {
	a, b, err := afunix.KernelTransport.Pair("unix")
	if err != nil {
		return afunix.Rights{}, err
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.WriteMsg([]byte{0}, f); err != nil {
		return afunix.Rights{}, err
	}
	m, err := b.ReadMsg(make([]byte, 1))
	if err != nil {
		m.Rights.Close()
		return afunix.Rights{}, err
	}
	return m.Rights, nil
}
