package sockfile

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// lock makes errLocked the error of all other calls with this path, of any process, until unlock is
// called or this process ends. A file that was there before, and has something in it, stays. A link
// is not followed: it may have been put there by somebody who wants its target to be removed.
func lock(path string) (unlock func(), err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const shareNothing = 0
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.DELETE, shareNothing, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT|
			windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
	switch err {
	case nil:
		return func() {
			removeEmpty(h) // a file that stays is in nobody's way
			windows.CloseHandle(h)
		}, nil
	case windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED: // also while it is being deleted
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}

// removeEmpty removes the file of h, which nobody else has open, when that is closed; unless there
// is something in it.
func removeEmpty(h windows.Handle) {
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(h, &info) != nil || info.FileSizeHigh != 0 || info.FileSizeLow != 0 {
		return
	}
	remove := byte(1) // FILE_DISPOSITION_INFO
	_ = windows.SetFileInformationByHandle(h, windows.FileDispositionInfo, &remove, uint32(unsafe.Sizeof(remove)))
}
