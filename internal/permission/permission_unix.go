//go:build unix

package permission

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Permission is what a socket file is to have. The zero value is not one: see Of.
type Permission struct {
	mode     fs.FileMode // 0: as the umask has it
	uid, gid int         // -1: as it is
}

// everybody may connect to a file with these bits: connect(2) takes the permission to write.
const everybody = 0o222

// Of returns a permission. Owner and group are names or numbers; "" leaves them as they are.
// EINVAL: there is no such user or group; or the name of the socket is not that of a file, and it
// is not everybody who may connect. A name that is no file keeps nobody out.
func Of(mode fs.FileMode, owner, group string, file bool) (Permission, error) {
	p := Permission{mode.Perm(), -1, -1}
	switch {
	case file:
	case owner != "" || group != "":
		return p, fmt.Errorf("%w: a name that is no file has no Owner and no Group", syscall.EINVAL)
	case p.mode != 0 && p.mode&everybody != everybody:
		return p, fmt.Errorf("%w: Mode %#o: everybody may connect to a name that is no file, "+
			"but for those whom Authorize refuses", syscall.EINVAL, p.mode)
	}
	var err error
	if owner != "" {
		p.uid, err = number("user", owner, func() (string, error) {
			u, err := user.Lookup(owner)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
	}
	if err == nil && group != "" {
		p.gid, err = number("group", group, func() (string, error) {
			g, err := user.LookupGroup(group)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
	}
	return p, err
}

// number returns the number that name is, or that lookup finds.
func number(kind, name string, lookup func() (string, error)) (int, error) {
	id, err := strconv.ParseUint(name, 10, 31)
	if err == nil {
		return int(id), nil
	}
	digits, err := lookup()
	if err == nil {
		id, err = strconv.ParseUint(digits, 10, 31)
	}
	if err != nil {
		return -1, fmt.Errorf("%w: there is no %s %s", syscall.EINVAL, kind, name)
	}
	return int(id), nil
}

// Initial returns the mode that the file may have until Apply; 0 is that of the umask. It lets in
// nobody whom the mode lets in by way of an owner or a group that the file does not have yet.
func (p Permission) Initial() fs.FileMode {
	const nobody = 0o400 // to connect takes the permission to write
	if p.changesOwner() && p.mode != 0 {
		return p.mode&0o700 | nobody
	}
	return p.mode
}

func (p Permission) changesOwner() bool { return p.uid >= 0 || p.gid >= 0 }

// Apply gives the file owner, group and mode. It does not follow a symbolic link that somebody has
// put there instead, where the system can do that.
func (p Permission) Apply(path string) error {
	if p.changesOwner() {
		if err := unix.Lchown(path, p.uid, p.gid); err != nil {
			return os.NewSyscallError("chown", err)
		}
	}
	if p.mode == 0 {
		return nil
	}
	err := unix.Fchmodat(unix.AT_FDCWD, path, uint32(p.mode), unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EOPNOTSUPP) { // Linux before 6.6
		err = unix.Fchmodat(unix.AT_FDCWD, path, uint32(p.mode), 0)
	}
	return os.NewSyscallError("chmod", err)
}

// None reports whether there is nothing to apply.
func (p Permission) None() bool { return p.mode == 0 && !p.changesOwner() }
