//go:build unix

package cred

import "os"

// The system shows the effective identity to a peer: unix(7), SO_PEERCRED.
func self() Credentials {
	return Credentials{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}
}

func sameUser(c Credentials) bool { return c.SID == "" && c.UID == os.Geteuid() }
