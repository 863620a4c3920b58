//go:build unix

package cred

import "os"

func self() Credentials {
	return Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}
}

func sameUser(c Credentials) bool { return c.SID == "" && c.UID == os.Geteuid() }
