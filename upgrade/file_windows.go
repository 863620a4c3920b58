package upgrade

import (
	"errors"
	"io"
	"os"
	"strings"

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
	text, err := fileID(path)
	return err == nil && strings.HasPrefix(text, magic)
}

// fileID returns what tells the file from any other that is put in its place: its text.
func fileID(path string) (string, error) {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return "no file", err
	}
	f, err := openShared(path)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSocketFile))
	return string(text), err
}

// openShared opens a file that its owner can remove or replace meanwhile, unlike os.Open. If it is
// a pipe, whoever has made that cannot act as this process.
func openShared(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), path), nil
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
