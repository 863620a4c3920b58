package winfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ShareAll lets others do what they like with a file meanwhile.
const ShareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// The last pause of Patiently, which waits for twice that in all.
const longestPause = 256 * time.Millisecond

// Busy is for tests: it is called before each pause of Patiently.
var Busy = func() {}

// Patiently calls f again, for half a second, while that fails because somebody else has the file
// open in a way that rules f out: virus scanners and indexers do so for a moment. A lock that the
// caller holds is held so long.
func Patiently(f func() error) error { return patiently(f, isHeld) }

func isHeld(err error) bool { return err == windows.ERROR_SHARING_VIOLATION }

func patiently(f func() error, busy func(error) bool) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := f()
		if !busy(err) || pause > longestPause {
			return err
		}
		Busy()
		time.Sleep(pause)
	}
}

// Open opens the file that has this very name, or what else has it, whose server must not
// impersonate us.
func Open(name *uint16, access, share uint32) (windows.Handle, error) {
	return windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
}

// Read returns what is in the file path, of at most limit bytes. Meanwhile its owner can remove or
// replace the file, unlike one that is open by os.Open. EBUSY: somebody lets nobody read it.
func Read(path string, limit int) (content []byte, err error) {
	err = Patiently(func() error {
		h, err := openPath(path, windows.GENERIC_READ)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(h), path)
		defer f.Close()
		content, err = io.ReadAll(io.LimitReader(f, int64(limit)))
		return err
	})
	if isHeld(err) {
		err = errHeld
	}
	return content, err
}

func openPath(path string, access uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	return Open(name, access, ShareAll)
}

// Remove unlinks the file path, unless the file is gone, or has something else in it than content:
// then another file has taken its place. A file cannot be unlinked while any program has it open
// without FILE_SHARE_DELETE, as most programs open files. If that lasts for more than a moment,
// vacant is written into the file, if vacant is not nil. (It is as long as content, so nobody reads
// half of it.) EBUSY: not even that was possible.
func Remove(path string, content, vacant []byte) error {
	err := Patiently(func() error { return unlink(path, content) })
	if isHeld(err) && vacant != nil {
		err = overwrite(path, content, vacant)
	}
	switch err {
	case nil, errAnother, windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND:
		return nil
	case windows.ERROR_SHARING_VIOLATION:
		err = errHeld
	}
	return &os.PathError{Op: "remove", Path: path, Err: err}
}

// errHeld is the error of a file that can be neither removed nor replaced.
var errHeld = fmt.Errorf("%w: another program has the file open", syscall.EBUSY)

// errAnother: the file is not, or no longer, the one that was meant.
var errAnother = errors.New("another file")

func unlink(path string, content []byte) error {
	h, err := openIf(path, content, windows.DELETE|windows.FILE_WRITE_ATTRIBUTES)
	if err == windows.ERROR_ACCESS_DENIED { // the file's descriptor may not allow all of it
		h, err = openIf(path, content, windows.DELETE)
	}
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return Delete(h, path)
}

// overwrite writes as many bytes into the file as are in it, if that is content. The file may be
// read-only.
func overwrite(path string, content, with []byte) error {
	attributes, err := openIf(path, content, windows.FILE_WRITE_ATTRIBUTES)
	if err != nil {
		return err
	}
	err = MakeWritable(attributes)
	windows.CloseHandle(attributes)
	if err != nil {
		return err
	}
	h, err := openIf(path, content, windows.GENERIC_WRITE)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return Write(h, with)
}

// Write makes content all that the file of h holds.
func Write(h windows.Handle, content []byte) error {
	var n uint32
	start := new(windows.Overlapped)
	if err := windows.WriteFile(h, content, &n, start); err != nil {
		return err
	}
	if int(n) != len(content) {
		return windows.ERROR_DISK_FULL
	}
	return windows.SetEndOfFile(h)
}

// openIf opens the file for reading it and for what access says. errAnother: content is not what is
// in it.
func openIf(path string, content []byte, access uint32) (windows.Handle, error) {
	h, err := openPath(path, windows.GENERIC_READ|access)
	if err != nil {
		return 0, err
	}
	if !holds(h, content) {
		windows.CloseHandle(h)
		return 0, errAnother
	}
	return h, nil
}

// holds reports whether content is all that is in the file of h, which has not been read yet.
func holds(h windows.Handle, content []byte) bool {
	if kind, _ := windows.GetFileType(h); kind != windows.FILE_TYPE_DISK {
		return false
	}
	b := make([]byte, len(content)+1)
	var n uint32
	if err := windows.ReadFile(h, b, &n, nil); err != nil && err != windows.ERROR_HANDLE_EOF {
		return false
	}
	return bytes.Equal(b[:n], content)
}

// Delete unlinks the file path of h, which has DELETE access, and FILE_WRITE_ATTRIBUTES for
// a file that is read-only. Where the system and the file system know POSIX semantics (NTFS since
// Windows 10 1607) the name is free at once. Elsewhere it is when nobody has the file open any
// more, so the file goes there under another name.
func Delete(h windows.Handle, path string) error {
	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS |
		windows.FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE)
	if setFileInformation(h, windows.FileDispositionInfoEx, &flags) == nil {
		return nil
	}
	MakeWritable(h) // if that fails, so may what follows, which tells
	rename(h, windows.FileRenameInfo, 0, path+".removed-"+rand.Text())
	remove := byte(1)
	return setFileInformation(h, windows.FileDispositionInfo, &remove)
}

// Replace renames the file from, in the same directory, to the name to, in one step, whatever file
// has that. EBUSY: somebody has one of the two open without FILE_SHARE_DELETE, as most programs
// open files, and not just for a moment; both are as they were, though perhaps no longer read-only.
// Where system or file system do not know POSIX semantics (before Windows 10 1607, or not NTFS),
// nobody may have them open at all.
func Replace(from, to string) error {
	err := patiently(func() error { return replaceNow(from, to) }, mayBeHeld)
	if mayBeHeld(err) && (inUse(from) || inUse(to)) {
		err = errHeld
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// mayBeHeld reports whether a file could not be replaced as if somebody had it open.
func mayBeHeld(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || isHeld(err)
}

// inUse reports whether anybody has the file open.
func inUse(path string) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false
	}
	const shareNothing = 0
	h, err := Open(name, windows.DELETE, shareNothing)
	if err != nil {
		return isHeld(err)
	}
	windows.CloseHandle(h)
	return false
}

// replaceNow is Replace, tried once. With POSIX semantics programs that have the old file open do
// not matter, if they let it be deleted. Without POSIX semantics nobody may have the file open.
func replaceNow(from, to string) error {
	h, err := openPath(from, windows.DELETE)
	if err != nil {
		return err
	}
	err = rename(h, windows.FileRenameInfoEx, windows.FILE_RENAME_REPLACE_IF_EXISTS|
		windows.FILE_RENAME_POSIX_SEMANTICS|windows.FILE_RENAME_IGNORE_READONLY_ATTRIBUTE, to)
	windows.CloseHandle(h)
	if err == nil {
		return nil
	}
	if h, err := openPath(to, windows.FILE_WRITE_ATTRIBUTES); err == nil {
		MakeWritable(h) // if that fails, so does what follows, which tells
		windows.CloseHandle(h)
	}
	return windows.Rename(from, to)
}

// rename gives the file of h, which has DELETE access, another name in its directory. The flags are
// those of class FileRenameInfoEx.
func rename(h windows.Handle, class, flags uint32, path string) error {
	name, err := windows.UTF16FromString(path)
	if err != nil {
		return err
	}
	type renameInfo struct { // FILE_RENAME_INFO
		flags     uint32
		directory windows.Handle
		length    uint32
		name      [1]uint16 // and more behind it
	}
	const size = unsafe.Sizeof(renameInfo{})
	buffer := make([]renameInfo, 1+(uintptr(2*len(name))+size-1)/size)
	info := &buffer[0]
	info.flags = flags
	info.length = uint32(2 * (copy(unsafe.Slice(&info.name[0], len(name)), name) - 1))
	return windows.SetFileInformationByHandle(h, class, (*byte)(unsafe.Pointer(info)), uint32(uintptr(len(buffer))*size))
}

// MakeWritable takes the attribute "read-only" off the file of h.
func MakeWritable(h windows.Handle) error {
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
