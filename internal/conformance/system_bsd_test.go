//go:build unix && !linux

package conformance

import (
	"errors"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"afunix"
)

func inherited(d afunix.Descriptor) bool {
	flags, err := unix.FcntlInt(uintptr(d), unix.F_GETFD, 0)
	return err != nil || flags&unix.FD_CLOEXEC == 0
}

func closeDescriptor(d afunix.Descriptor) { unix.Close(int(d)) }

// specials returns one of each kind that is no plain file.
func specials(e *env) map[string]special {
	dir, err := os.Open(os.TempDir())
	e.check(err)
	e.Cleanup(func() { dir.Close() })
	return map[string]special{
		"directory": {dir, func(d afunix.Descriptor) error { return unix.Fstat(int(d), new(unix.Stat_t)) }},
	}
}

func inheritsAtConnect() bool { return true }

const limitsDescriptors = false

func exhaustDescriptors() (free func(), err error) { return nil, errors.ErrUnsupported }

func asNobody(*exec.Cmd) (ok bool) { return false }

func isSocketFile(path string) error {
	fi, err := os.Lstat(path)
	if err == nil && fi.Mode()&os.ModeSocket == 0 {
		err = errors.New("no socket file")
	}
	return err
}

func umask(mask int) int { return unix.Umask(mask) }
