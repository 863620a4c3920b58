// Package cred says who a process is: its number and its user.
package cred

// Credentials are those of a process, as the system reports them.
type Credentials struct {
	PID      int
	UID, GID int    // -1 where the system has none
	SID      string // Windows: the user's security identifier
}

// SameUser reports whether c is the user that this process runs as.
func (c Credentials) SameUser() bool { return sameUser(c) }

// Self returns the credentials of this process.
func Self() Credentials { return self() }
