package upgrade

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/windows"

	"afunix"
)

// maxAddress is how long a path in a socket's address may be: as on Linux.
const maxAddress = 107

// magic is what a socket file begins with (internal/winpipe/sockfile.go); the name of a pipe that is in no other comes behind it.
const magic = "!<afunix socket 1>\n"

// maxSocketFile is more than a socket file has.
const maxSocketFile = 4096

// isSocketFile reports whether path is that of a socket, and nothing that somebody would miss.
func isSocketFile(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, []byte(magic))
}

// fileID returns what tells the file from any other that is put in its place: its text.
func fileID(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSocketFile))
	return string(text), err
}

// isBoundTo is not asked here: no service manager passes sockets.
func isBoundTo(afunix.Sendable, string) bool { return true }

// isBusy reports whether a file could not be replaced because somebody reads it, as a dialler does.
func isBusy(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is called or this process ends.
func lock(path string) (unlock func() error, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const shareNothing = 0
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.DELETE, shareNothing, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	switch {
	case err == nil:
		return func() error { return windows.CloseHandle(h) }, nil
	case isBusy(err): // also while it is being deleted
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}
