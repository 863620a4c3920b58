//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package descriptor

import "golang.org/x/sys/unix"

const ioctlGetTermios = unix.TIOCGETA
