//go:build !windows

package afunix

// isAbsolute reports whether the path of a URL is one.
func isAbsolute(path string) bool { return path[0] == '/' }

// cutDrive has nothing to take off where there are no drives.
func cutDrive(path string) string { return path }
