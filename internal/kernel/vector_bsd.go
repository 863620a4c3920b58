//go:build unix && !linux

package kernel

import "golang.org/x/sys/unix"

// A vector is what sendmsg takes of several slices: package unix makes it.
type vector struct{}

func (vector) clear() {}

// writev sends slices, of which there is at least one. Like every call here it does not wait.
func (vector) writev(fd uintptr, slices [][]byte) (int, error) {
	return unix.SendmsgBuffers(int(fd), slices, nil, nil, dontWait)
}
