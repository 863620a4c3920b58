//go:build unix && !aix && !linux

package kernel

import "golang.org/x/sys/unix"

const dontWait = unix.MSG_DONTWAIT
