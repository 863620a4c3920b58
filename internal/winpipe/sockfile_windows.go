package winpipe

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/descriptor"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/winfile"
)

// A boundFile is a socket file that a listener has made. The file is not kept open, so that it can
// be removed and the name be bound again at any time, as on Linux. It is recognised by the pipe's
// random name in it: file IDs do not do for that, because a file system may give that of a removed
// file to the next one (Wine does, with its inode).
type boundFile struct {
	path    string // absolute: the process may change its directory
	content sockfile
}

// createSocketFile makes the file path, which must not exist. Its errors are those of bind(2).
func createSocketFile(path string, content sockfile, attributes *windows.SecurityAttributes) (*boundFile, error) {
	if err := lookalike.Bindable(path); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(abs)
	if err != nil {
		return nil, err // EINVAL: a NUL in it
	}
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE|windows.FILE_READ_ATTRIBUTES|windows.DELETE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE, attributes, windows.CREATE_NEW, windows.FILE_ATTRIBUTE_SYSTEM, 0)
	if err == windows.ERROR_FILE_EXISTS && isVacant(name) && takeOver(name, content, attributes) == nil {
		return &boundFile{abs, content}, nil
	}
	if err != nil {
		return nil, bindErrno(abs, err)
	}
	defer windows.CloseHandle(h)
	if fileType, _ := windows.GetFileType(h); fileType != windows.FILE_TYPE_DISK {
		return nil, syscall.EADDRINUSE // NUL and other names that are always there
	}
	if err := winfile.Write(h, content.append(nil)); err != nil {
		winfile.Delete(h, abs) // if that fails, too, a file stays that leads nowhere
		return nil, errno(err)
	}
	return &boundFile{abs, content}, nil
}

// vacant reports whether s is the content of a vacant file.
func (s sockfile) vacant() bool { return s.id == pipeID{} }

// isVacant reports whether name is a vacant file: see sockfile. It may be another one by the time
// that this is known.
func isVacant(name *uint16) bool {
	h, err := winfile.Open(name, windows.GENERIC_READ, winfile.ShareAll)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	content, err := readContent(h)
	return err == nil && content.vacant()
}

// errNotOurs: the file is not, or no longer, the one that was meant.
var errNotOurs = errors.New("another file")

// takeOver makes a vacant file that of a new listener. Other programs may have the file open for
// reading. Nobody else can have it open for writing meanwhile, so if several listeners try to take
// it over, one does. The file may not be another user's, who would decide on its content.
func takeOver(name *uint16, content sockfile, attributes *windows.SecurityAttributes) error {
	return winfile.Patiently(func() error {
		h, err := winfile.Open(name, windows.GENERIC_READ|windows.GENERIC_WRITE|windows.WRITE_DAC,
			windows.FILE_SHARE_READ)
		if err != nil {
			return err
		}
		defer windows.CloseHandle(h)
		if former, err := readContent(h); err != nil || !former.vacant() {
			return errNotOurs
		}
		if err := secure(h, attributes.SecurityDescriptor); err != nil {
			return err
		}
		return winfile.Write(h, content.append(nil))
	})
}

// secure gives the file of h the access control list of wanted, whose owner must have it.
func secure(h windows.Handle, wanted *windows.SECURITY_DESCRIPTOR) error {
	owner, _, err := wanted.Owner()
	if err != nil {
		return err
	}
	if is, err := ownerOf(h, windows.SE_FILE_OBJECT); err != nil || is != owner.String() {
		return errNotOurs
	}
	dacl, _, err := wanted.DACL()
	if err != nil {
		return err
	}
	return windows.SetSecurityInfo(h, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

// readSocketFile reads the socket file path, and tells its owner. Its errors are those of
// connect(2), and pipe.ErrNativeSocket.
func readSocketFile(path string) (file sockfile, owner string, err error) {
	found, err := winfile.Follow(path)
	switch {
	case err != nil:
		return sockfile{}, "", lookupErrno(path, err)
	case found.Tag == reparseTagUnix:
		return sockfile{}, "", pipe.ErrNativeSocket
	}
	h, err := winfile.OpenFound(found, windows.GENERIC_READ)
	if err != nil {
		return sockfile{}, "", lookupErrno(path, err)
	}
	defer windows.CloseHandle(h)
	if file, err = readContent(h); err != nil {
		return sockfile{}, "", err
	}
	if file.vacant() {
		return sockfile{}, "", syscall.ECONNREFUSED
	}
	owner, err = ownerOf(h, windows.SE_FILE_OBJECT)
	return file, owner, err
}

// readContent reads what h refers to, which has not been read yet: ECONNREFUSED if that is no
// socket file.
func readContent(h windows.Handle) (sockfile, error) {
	if kind, err := descriptor.System.Kind(uintptr(h)); err != nil || kind != descriptor.File {
		return sockfile{}, syscall.ECONNREFUSED
	}
	var content [sockfileMax + 1]byte
	var n uint32
	if err := windows.ReadFile(h, content[:], &n, nil); err != nil && err != windows.ERROR_HANDLE_EOF {
		return sockfile{}, errno(err)
	}
	file, err := parseSockfile(content[:n])
	if err != nil {
		return sockfile{}, noSocketFile(content[:n])
	}
	return file, nil
}

// noSocketFile is the error for a file that begins like that: ECONNREFUSED.
func noSocketFile(beginning []byte) error {
	if bytes.HasPrefix(beginning, []byte(sockfileMagic)) {
		return syscall.ECONNREFUSED
	}
	return lookalike.Refused(beginning)
}

// reparseTagUnix is IO_REPARSE_TAG_AF_UNIX (ntifs.h): a socket of Windows' own AF_UNIX.
const reparseTagUnix = 0x80000023

// missing tells why path was not found: ENOTDIR if something on the way to it is not a directory,
// else ENOENT.
func missing(path string) error {
	for dir, last := filepath.Dir(path), path; dir != last; dir, last = filepath.Dir(dir), dir {
		name, err := windows.UTF16PtrFromString(dir)
		if err != nil {
			return err
		}
		attributes, err := windows.GetFileAttributes(name)
		if err != nil {
			continue // not there either: ask further up
		}
		if attributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 {
			return syscall.ENOTDIR
		}
		break
	}
	return syscall.ENOENT
}
