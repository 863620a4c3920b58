// Package longpath reaches socket files whose path is longer than what a socket's address takes,
// and says so where there is no way.
package longpath

import (
	"fmt"
	"syscall"
)

// A TooLong is the error of a name that a socket cannot have.
type TooLong struct {
	What          string // whose bytes are counted
	Length, Limit int
}

// Error says how long the name is, and how long it may be.
func (e *TooLong) Error() string {
	return fmt.Sprintf("%v: %s has %d bytes, and the limit is %d", syscall.EINVAL, e.What, e.Length, e.Limit)
}

// Unwrap returns EINVAL, as the system says.
func (e *TooLong) Unwrap() error { return syscall.EINVAL }

// Check refuses a name of more bytes than a socket's address takes: a path, or an abstract name
// ("@name").
func Check(name string) error {
	switch {
	case isAbstract(name):
		if len(name) > Max+1 { // no NUL comes behind it
			return &TooLong{"the name", len(name), Max + 1}
		}
	case len(name) > Max:
		return &TooLong{"the path", len(name), Max}
	}
	return nil
}

func isAbstract(name string) bool { return name != "" && name[0] == '@' }

// direct is the way to a name that needs none.
func direct(name string) (string, func(), error) { return name, func() {}, Check(name) }
