package upgrade

import (
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/lookalike"
	"afunix/internal/winfile"
)

// maxAddress is how long a path in a socket's address may be: as on Linux.
const maxAddress = 107

// magic is what a socket file begins with (internal/winpipe/sockfile.go); the name of a pipe that
// is in no other comes behind it.
const magic = "!<afunix socket 1>\n"

// maxSocketFile is more than a socket file has.
const maxSocketFile = 4096

// checkName refuses a path that leads to no file of this machine, by its name alone: to open a pipe
// or a device has consequences, and another machine is told who the user is.
func checkName(path string) error { return lookalike.Bindable(path) }

// isSocketFile reports whether path is that of a socket, and nothing that somebody would miss.
func isSocketFile(path string) bool {
	text, err := fileID(path)
	return err == nil && strings.HasPrefix(text, magic)
}

// fileID returns what tells the file from any other that is put in its place: the file's text. A
// path that by its name leads to no file is not opened.
func fileID(path string) (string, error) {
	if err := checkName(path); err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return "no file", err
	}
	text, err := winfile.Read(path, maxSocketFile)
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

// replace renames a file to a name that another file may have, in one step.
func replace(from, to string) error { return winfile.Replace(from, to) }

// isBoundTo is not asked here: no service manager passes sockets.
func isBoundTo(afunix.Sendable, string) bool { return true }

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is
// called or this process ends.
func lock(path string) (unlock func() error, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const shareNothing = 0
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.DELETE, shareNothing, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	switch err {
	case nil:
		return func() error { return windows.CloseHandle(h) }, nil
	case windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED: // also while it is being deleted
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}
