package sockfile

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is
// called or this process ends.
func lock(path string) (unlock func(), err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const shareNothing = 0
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.DELETE, shareNothing, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	switch err {
	case nil:
		return func() { windows.CloseHandle(h) }, nil
	case windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED: // also while it is being deleted
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}
