//go:build darwin || freebsd

package kernel

import (
	"afunix/internal/cred"

	"golang.org/x/sys/unix"
)

// fromXucred: the first group is the effective one.
func fromXucred(u *unix.Xucred, pid int) cred.Credentials {
	c := cred.Credentials{PID: pid, UID: int(u.Uid), GID: -1}
	if u.Ngroups > 0 {
		c.GID = int(u.Groups[0])
	}
	return c
}
