package winfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/lookalike"
)

// A Found is the file that a path leads to.
type Found struct {
	Path       string // no symbolic link
	Attributes uint32 // FILE_ATTRIBUTE_…
	Tag        uint32 // IO_REPARSE_TAG_…; 0 if the file is no reparse point
}

// maxLinks is how many links lead on at most, as in the system itself.
const maxLinks = 63

// Follow returns the file that path leads to by symbolic links, without opening anything but
// directories and links. A pipe is not opened, whose server would see a client come, nor is a
// device; they are a *lookalike.Error. Other errors are the system's.
func Follow(path string) (Found, error) {
	for range maxLinks {
		if err := lookalike.Connectable(path); err != nil {
			return Found{}, err
		}
		if err := inDirectory(path); err != nil {
			return Found{}, err
		}
		info, err := attributes(path)
		if err != nil {
			return Found{}, err
		}
		if info.Tag != windows.IO_REPARSE_TAG_SYMLINK {
			return Found{path, info.Attributes, info.Tag}, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return Found{}, system(err)
		}
		if !filepath.IsAbs(target) && filepath.VolumeName(target) == "" {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return Found{}, windows.ERROR_CANT_RESOLVE_FILENAME
}

// inDirectory refuses a path whose directory is that of all pipes, or a device, to which a link on
// the way has led. If this process may not look at the directory, then it is one of a disk.
func inDirectory(path string) error {
	h, err := openAny(filepath.Dir(path), 0)
	if err != nil {
		return nil // what is wrong with it, opening the file will tell
	}
	defer windows.CloseHandle(h)
	switch kind, _ := windows.GetFileType(h); kind {
	case windows.FILE_TYPE_DISK, windows.FILE_TYPE_REMOTE | windows.FILE_TYPE_DISK:
		return nil
	case windows.FILE_TYPE_PIPE:
		return &lookalike.Error{Errno: syscall.ECONNREFUSED, What: lookalike.Pipe}
	}
	return &lookalike.Error{Errno: syscall.ECONNREFUSED, What: lookalike.Device}
}

// openAny opens a file, a directory or, with FILE_FLAG_OPEN_REPARSE_POINT, a link, to look at what
// it is.
func openAny(path string, flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(name, windows.FILE_READ_ATTRIBUTES, ShareAll, nil, windows.OPEN_EXISTING,
		flags|windows.FILE_FLAG_BACKUP_SEMANTICS|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
}

// attributes says what has this very name.
func attributes(path string) (info struct{ Attributes, Tag uint32 }, err error) { // FILE_ATTRIBUTE_TAG_INFO
	h, err := openAny(path, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return info, err
	}
	defer windows.CloseHandle(h)
	err = windows.GetFileInformationByHandleEx(h, windows.FileAttributeTagInfo,
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if info.Attributes&windows.FILE_ATTRIBUTE_REPARSE_POINT == 0 {
		info.Tag = 0
	}
	return info, err
}

// OpenFound opens the file that Follow has found; a directory opens, too, so that it can be told
// from a file that may not be read. Should the path lead to a pipe by now, then its server must not
// impersonate this process.
func OpenFound(f Found, access uint32) (h windows.Handle, err error) {
	name, err := windows.UTF16PtrFromString(f.Path)
	if err != nil {
		return 0, err
	}
	err = Patiently(func() (err error) {
		h, err = windows.CreateFile(name, access, ShareAll, nil, windows.OPEN_EXISTING,
			windows.FILE_FLAG_BACKUP_SEMANTICS|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
		return err
	})
	return h, err
}

// system takes off what package os puts around an error.
func system(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
