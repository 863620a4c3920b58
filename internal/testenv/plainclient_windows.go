package testenv

import (
	"os"
	"testing"

	"golang.org/x/sys/windows"
)

// OpenPipe connects to a pipe as programs do that know nothing of afunix: they ask once, for
// GENERIC_READ and GENERIC_WRITE, and fail with ERROR_PIPE_BUSY if no instance waits.
func OpenPipe(name string) (*os.File, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), name), nil
}

// MustOpenPipe is OpenPipe; the file is closed when the test ends.
func MustOpenPipe(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := OpenPipe(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
