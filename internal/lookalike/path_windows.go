package lookalike

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// Connectable refuses a path that leads to no file of this machine, by its name alone:
// ECONNREFUSED. To open such a thing has consequences: the server of a pipe sees a client come, a
// serial port is reset, another machine is told who the user is.
func Connectable(path string) error {
	what, err := ofNoFile(path)
	if err == nil && what != "" {
		err = &Error{syscall.ECONNREFUSED, what}
	}
	return err
}

// Bindable refuses path to a call that wants to make a socket file there: EADDRNOTAVAIL on another
// machine, EINVAL for a pipe without a name, and otherwise EADDRINUSE, because the name is the
// system's.
func Bindable(path string) error {
	what, err := ofNoFile(path)
	switch {
	case err != nil:
		return err
	case what == Share:
		return &Error{syscall.EADDRNOTAVAIL, what}
	case what == PipeRoot:
		return &Error{syscall.EINVAL, what}
	case what != "":
		return &Error{syscall.EADDRINUSE, what}
	}
	return nil
}

// ofNoFile says what a path leads to if that is no file of this machine, and returns "" if it may
// be one. EINVAL: name is no path.
func ofNoFile(path string) (what string, err error) {
	full, err := windows.FullPath(path)
	if err != nil {
		return "", syscall.EINVAL
	}
	return Name(full), nil
}

// PipeAt returns NAME if path leads to the pipe \\.\pipe\NAME of this machine, by its name alone,
// and otherwise "".
func PipeAt(path string) string {
	full, err := windows.FullPath(path)
	if err != nil {
		return ""
	}
	return PipeName(full)
}

// Elsewhere refuses nothing: the names of Windows are names here.
func Elsewhere(string) error { return nil }
