//go:build unix

package lookalike

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Explain adds to the error of dialling path what is there in place of a socket, if that is a file
// of a known kind.
func Explain(path string, err error) error {
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	if info, statErr := os.Stat(path); statErr != nil || !info.Mode().IsRegular() {
		return err
	}
	// By now the path may lead to something for which one would wait.
	fd, openErr := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if openErr != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var beginning [Longest]byte
	n, _ := f.Read(beginning[:])
	if what := File(beginning[:n]); what != "" {
		return &Error{syscall.ECONNREFUSED, what}
	}
	return err
}
