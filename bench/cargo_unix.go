//go:build unix

package bench

import "golang.org/x/sys/unix"

func controlMessage(values []uintptr) []byte {
	fds := make([]int, len(values))
	for i, v := range values {
		fds[i] = int(v)
	}
	return unix.UnixRights(fds...)
}
