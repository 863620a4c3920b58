package winpipe

import (
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/winfile"
)

// remove unlinks the file, unless another one has taken its place. That it is gone already is no
// error. On Windows a file cannot be unlinked while anybody has it open without FILE_SHARE_DELETE,
// as most programs open files: then it is vacated, which is enough for the next Listen. EBUSY: not
// even that was possible, and the file stays as if its listener had crashed.
func (f *boundFile) remove() error {
	err := winfile.Patiently(f.unlink)
	if err == windows.ERROR_SHARING_VIOLATION {
		err = f.vacate()
	}
	switch err {
	case nil, errNotOurs, windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND:
		return nil
	case windows.ERROR_SHARING_VIOLATION:
		return syscall.EBUSY
	}
	return errno(err)
}

func (f *boundFile) unlink() error {
	h, err := f.open(windows.DELETE | windows.FILE_WRITE_ATTRIBUTES)
	if err == windows.ERROR_ACCESS_DENIED { // the descriptor that the listener was given may not allow all of it
		h, err = f.open(windows.DELETE)
	}
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return winfile.Delete(h, f.path)
}

// vacate makes a vacant file of the file: see sockfile. The new content is as long as the old one,
// so nobody reads half of it.
func (f *boundFile) vacate() error {
	attributes, err := f.open(windows.FILE_WRITE_ATTRIBUTES)
	if err != nil {
		return err
	}
	err = winfile.MakeWritable(attributes)
	windows.CloseHandle(attributes)
	if err != nil {
		return err
	}
	h, err := f.open(windows.GENERIC_WRITE)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return overwrite(h, sockfile{socketType: f.content.socketType})
}

// open opens the file for reading it and for what access says. errNotOurs: it is another one by
// now.
func (f *boundFile) open(access uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(f.path)
	if err != nil {
		return 0, err
	}
	h, err := winfile.Open(name, windows.GENERIC_READ|access, winfile.ShareAll)
	if err != nil {
		return 0, err
	}
	if content, err := readContent(h); err != nil || content != f.content {
		windows.CloseHandle(h)
		return 0, errNotOurs
	}
	return h, nil
}
