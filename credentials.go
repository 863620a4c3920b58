package afunix

import (
	"context"

	"afunix/internal/cred"
	"afunix/internal/transport"
)

// Credentials say which process, and which user, is at the other end.
type Credentials struct {
	// PID is the process's number in the PID namespace of this process. It is 0 for a process that
	// has no number there: on Linux, a process that was started outside of this namespace and the
	// namespaces below it, as in another container (pid_namespaces(7)). Do not send a signal to 0,
	// which would go to this process's own group, and tell 0 to nobody. Two processes with PID 0
	// need not be the same.
	PID      int
	UID, GID int    // -1 where the system has none
	SID      string // Windows: the user's security identifier
}

// SameUser reports whether c is the user that this process runs as.
func (c Credentials) SameUser() bool { return cred.Credentials(c).SameUser() }

// authorizer is authorize as the transports take it.
func authorizer(authorize func(Credentials) error) transport.Authorize {
	if authorize == nil {
		return nil
	}
	return func(c cred.Credentials) error { return authorize(Credentials(c)) }
}

// authorizer is d.Authorize, as long as ctx lasts: nobody waits for an answer that comes later.
func (d *Dialer) authorizer(ctx context.Context) transport.Authorize {
	authorize := authorizer(d.Authorize)
	if authorize == nil || ctx.Done() == nil {
		return authorize
	}
	return func(c cred.Credentials) error {
		said := make(chan error, 1)
		go func() { said <- authorize(c) }()
		select {
		case err := <-said:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
