package faults

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// disksVariable names a directory in which there are disks that scripts/faulty-disks has mounted; a
// Windows program cannot.
const disksVariable = "AFUNIX_FAULTY_DISKS"

func faultyDisk(name string) (string, error) {
	disks := os.Getenv(disksVariable)
	if disks == "" {
		return "", skip(disksVariable + " is not set: scripts/faulty-disks makes such disks, as root, for Wine")
	}
	return filepath.Join(disks, name), nil
}

// fillDisk has a disk on which no file can be made, and one on which none can be written: there it
// is removed again.
func fillDisk(r *round) error {
	for _, name := range []string{"no-inode", "no-block"} {
		dir, err := faultyDisk(name)
		if err != nil {
			return err
		}
		if err := r.tryAll(disk{dir, syscall.ENOSPC}); err != nil {
			return errors.Join(errors.New(name), err)
		}
	}
	return nil
}

// writeProtect has a disk that is read-only. Wine says of it that access is denied; Windows would
// say ERROR_WRITE_PROTECT, which is EROFS.
func writeProtect(r *round) error {
	dir, err := faultyDisk("read-only")
	if err != nil {
		return err
	}
	return r.tryAll(disk{dir, syscall.EACCES})
}
