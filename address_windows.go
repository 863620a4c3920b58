package afunix

import "path/filepath"

// isAbsolute reports whether the path of a URL is one: /PATH, C:/PATH or /C:/PATH.
func isAbsolute(path string) bool { return path[0] == '/' || path[0] == '\\' || filepath.IsAbs(path) }

// cutDrive takes off the slash of a URL that is in front of a drive.
func cutDrive(path string) string {
	if volume := filepath.VolumeName(path[1:]); len(volume) == 2 {
		return path[1:]
	}
	return path
}
