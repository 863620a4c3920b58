package sockfile

import (
	"os"
	"regexp"
	"strings"

	"afunix/internal/lookalike"
	"afunix/internal/winfile"

	"golang.org/x/sys/windows"
)

// magic is what a socket file begins with (internal/winpipe/sockfile.go); the name of a pipe that
// is in no other comes behind it.
const magic = "!<afunix socket 1>\n"

// maxLength is more than a socket file has.
const maxLength = 4096

// IsSocket reports whether path is that of a socket file, and nothing that somebody would miss. A
// file of Windows' own AF_UNIX counts as none: nobody could tell whether its socket is there.
func IsSocket(path string) bool {
	text, err := ID(path)
	return err == nil && (strings.HasPrefix(text, magic) || text == "" && isUnfinished(path))
}

// isUnfinished reports whether an empty file is one that a process has left which died between
// making a socket file and writing it. The process has the file open so that nobody else can write
// to it, and the file has an attribute that those of users do not have.
func isUnfinished(path string) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false
	}
	attributes, err := windows.GetFileAttributes(name)
	if err != nil || attributes&windows.FILE_ATTRIBUTE_SYSTEM == 0 {
		return false
	}
	h, err := winfile.Open(name, windows.GENERIC_WRITE, winfile.ShareAll)
	if err != nil {
		return false
	}
	windows.CloseHandle(h)
	return true
}

// ID returns what tells the file from any other that is put in its place: the file's text. A path
// that by its name leads to no file is not opened: to open a pipe or a device has consequences, and
// another machine is told who the user is.
func ID(path string) (string, error) {
	if err := lookalike.Bindable(path); err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return "no file", err
	}
	text, err := winfile.Read(path, maxLength)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	return string(text), nil
}

// removeIf removes the file if it has the id. If the file cannot be removed it is made vacant, and
// the next listener takes it over.
func removeIf(path, id string) error { return winfile.Remove(path, []byte(id), vacant(id)) }

// pipeName is what a socket file ends with.
var pipeName = regexp.MustCompile(`[0-9a-f]{32}\n$`)

// vacant is what a socket file with the id says when it is vacant (internal/winpipe/sockfile.go);
// nil if it is another file.
func vacant(id string) []byte {
	if !strings.HasPrefix(id, magic) || !pipeName.MatchString(id) {
		return nil
	}
	return []byte(pipeName.ReplaceAllString(id, strings.Repeat("0", 32)+"\n"))
}

// isStale reports whether nobody has the socket of the file any more.
func isStale(path string) bool {
	id, err := ID(path)
	if err != nil || id == "" {
		return err == nil && isUnfinished(path)
	}
	name := strings.TrimSpace(pipeName.FindString(id))
	return strings.HasPrefix(id, magic) && name != "" && !sentinelExists(name)
}

// sentinelExists reports whether somebody has the sentinel of a socket, which exists as long as the
// socket does (internal/winpipe/listen_windows.go). Asking does not connect. In doubt the sentinel
// exists.
func sentinelExists(name string) bool {
	path, err := windows.UTF16PtrFromString(`\\.\PIPE\afunix-` + name + "-listen")
	return err != nil || waitNamedPipe(path, 1) != windows.ERROR_FILE_NOT_FOUND
}
