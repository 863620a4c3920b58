package testenv

import "time"

// A SlowDir is a directory from which a file may take a while to be removed. On Linux it is a file
// system of its own; on Windows another program has the file open; elsewhere the test is skipped.
type SlowDir struct {
	Dir string // its path
	system
}

// longEnough is how long the removal of a file takes at most. Removing a socket file is given up
// after half a second on Windows.
const longEnough = 100 * time.Millisecond

// Hold lets the file path, which is in the directory, be removed when early is closed or a while
// has passed. A test closes it as soon as it has seen what it must not see while the file is there:
// so it fails at once, and never for being slow.
func (d *SlowDir) Hold(path string, early <-chan struct{}) {
	d.hold(path, func() {
		select {
		case <-early:
		case <-time.After(longEnough):
		}
	})
}
