package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

func init() { parts["unwelcome"] = playUnwelcome }

// mount mounts a small file system of its own on a new directory, until done.
func (r *round) mount(options string) (dir string, done func(), err error) {
	if os.Getuid() != 0 {
		return "", nil, skip("needs root to mount a disk that is full")
	}
	dir = r.path()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", nil, err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if err == unix.EPERM {
			err = skip("must not mount, though root")
		}
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	return dir, func() { unix.Unmount(dir, unix.MNT_DETACH); os.Remove(dir) }, nil
}

// fillDisk has a disk with room for one file, but it is taken. A socket file is nothing but an
// inode. Then there is room.
func fillDisk(r *round) error {
	dir, done, err := r.mount("nr_inodes=2")
	if err != nil {
		return err
	}
	defer done()
	filler, path := filepath.Join(dir, "filler"), filepath.Join(dir, "socket")
	if err := os.WriteFile(filler, nil, 0o600); err != nil {
		return err
	}
	if err := r.tryAll(disk{dir, unix.ENOSPC}); err != nil {
		return err
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	return errors.Join(r.listenAndClose("unix", path), r.listenAndClose("unixpacket", path))
}

// writeProtect has a disk that is read-only, first from the beginning, and then from when there is
// a listener on it; and a directory in which this user may not write.
func writeProtect(r *round) error {
	dir, done, err := r.mount("mode=755")
	if err != nil {
		return err
	}
	defer done()
	protect := func(flags uintptr) error { return unix.Mount("", dir, "", unix.MS_REMOUNT|flags, "") }
	if err := protect(unix.MS_RDONLY); err != nil {
		return err
	}
	if err := r.tryAll(disk{dir, unix.EROFS}); err != nil {
		return err
	}
	if err := protect(0); err != nil {
		return err
	}
	if err := r.closeThoughProtected(dir, protect); err != nil {
		return fmt.Errorf("a listener that cannot remove its file: %w", err)
	}
	return r.beUnwelcome(dir)
}

// closeThoughProtected: the file stays, and is a stale one.
func (r *round) closeThoughProtected(dir string, protect func(flags uintptr) error) error {
	e := errand{Transport: r.transport, Network: "unix", Path: filepath.Join(dir, "stale")}
	l, err := listenTo(e)
	if err != nil {
		return err
	}
	if err := errors.Join(protect(unix.MS_RDONLY), l.Close()); err != nil {
		return err
	}
	_, err = dialFrom(e, "")
	return errors.Join(among(err, unix.ECONNREFUSED), protect(0), os.Remove(e.Path))
}

func (r *round) beUnwelcome(dir string) error {
	if err := os.Chmod(r.dir, 0o755); err != nil { // or the way there were what is forbidden
		return err
	}
	w, err := errand{Part: "unwelcome", Transport: r.transport, Path: dir}.start()
	if err != nil {
		return err
	}
	defer w.discard()
	return w.finish()
}

// playUnwelcome is somebody who may look into a directory, but not write.
func playUnwelcome(_ *household, e errand) error {
	own, err := os.MkdirTemp("", "afunix")
	if err != nil {
		return err
	}
	defer os.Remove(own)
	const nobody = 65534
	if err := errors.Join(os.Chown(own, nobody, nobody), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		return err
	}
	r := &round{transport: e.Transport, dir: own}
	return r.tryAll(disk{e.Path, unix.EACCES})
}
