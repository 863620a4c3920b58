//go:build !linux

package upgrade

// isManagersNumber reports whether the service manager has the same number for this process. Here
// every process has one.
func isManagersNumber() bool { return true }

// isPID1 reports whether the end of this process is the end of all others.
func isPID1() bool { return false }
