package winpipe

import (
	"crypto/rand"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The last pause of patiently, which waits for twice that in all.
const longestPause = 256 * time.Millisecond

// patiently calls f again, for half a second, while that fails because somebody else has the file
// open in a way that rules f out: virus scanners and indexers do so for a moment. The caller holds
// no lock that others need.
func patiently(f func() error) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := f()
		if err != windows.ERROR_SHARING_VIOLATION || pause > longestPause {
			return err
		}
		busy()
		time.Sleep(pause)
	}
}

var busy = func() {} // for tests: called before each pause of patiently

// remove unlinks the file, unless another one has taken its place. That it is gone already is no
// error. On Windows a file cannot be unlinked while anybody has it open without FILE_SHARE_DELETE,
// as most programs open files: then it is vacated, which is enough for the next Listen. EBUSY: not
// even that was possible, and the file stays as if its listener had crashed.
func (f *boundFile) remove() error {
	err := patiently(f.unlink)
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
	return deleteByHandle(h, f.path)
}

// vacate makes a vacant file of the file: see sockfile. The new content is as long as the old one,
// so nobody reads half of it.
func (f *boundFile) vacate() error {
	attributes, err := f.open(windows.FILE_WRITE_ATTRIBUTES)
	if err != nil {
		return err
	}
	err = makeWritable(attributes)
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
	h, err := openFile(name, windows.GENERIC_READ|access, shareAll)
	if err != nil {
		return 0, err
	}
	if content, err := readContent(h); err != nil || content != f.content {
		windows.CloseHandle(h)
		return 0, errNotOurs
	}
	return h, nil
}

// openFile opens the file that has this very name, or what else has it, whose server must not
// impersonate us.
func openFile(name *uint16, access, share uint32) (windows.Handle, error) {
	return windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
}

// deleteByHandle unlinks the file path of h, which has DELETE access, and FILE_WRITE_ATTRIBUTES for
// a file that is read-only. Where the system and the file system know POSIX semantics (NTFS since
// Windows 10 1607) the name is free at once. Elsewhere it is when nobody has the file open any
// more, so the file goes there under another name.
func deleteByHandle(h windows.Handle, path string) error {
	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS |
		windows.FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE)
	if setFileInformation(h, windows.FileDispositionInfoEx, &flags) == nil {
		return nil
	}
	makeWritable(h) // if that fails, so may what follows, which tells
	rename(h, path+".removed-"+rand.Text())
	remove := byte(1)
	return setFileInformation(h, windows.FileDispositionInfo, &remove)
}

// rename gives the file of h, which has DELETE access, another name in its directory.
func rename(h windows.Handle, path string) error {
	name, err := windows.UTF16FromString(path)
	if err != nil {
		return err
	}
	var info struct { // FILE_RENAME_INFO
		replace   uint32
		directory windows.Handle
		length    uint32
		name      [windows.MAX_PATH]uint16
	}
	if len(name) > len(info.name) {
		return windows.ERROR_FILENAME_EXCED_RANGE
	}
	info.length = uint32(2 * (copy(info.name[:], name) - 1))
	return setFileInformation(h, windows.FileRenameInfo, &info)
}

// makeWritable takes the attribute "read-only" off the file of h.
func makeWritable(h windows.Handle) error {
	basic := struct { // FILE_BASIC_INFO: zero means that it stays as it is
		times      [4]int64
		attributes uint32
		_          uint32
	}{attributes: windows.FILE_ATTRIBUTE_SYSTEM}
	return setFileInformation(h, windows.FileBasicInfo, &basic)
}

func setFileInformation[T any](h windows.Handle, class uint32, info *T) error {
	return windows.SetFileInformationByHandle(h, class, (*byte)(unsafe.Pointer(info)), uint32(unsafe.Sizeof(*info)))
}
