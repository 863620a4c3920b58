//go:build unix && !linux

package kernel

import (
	"errors"

	"afunix/internal/cred"
)

// SetPassCredentials is not possible: what these systems send for LOCAL_CREDS does not name the
// process.
func (c *Conn) SetPassCredentials(bool) error { return errors.ErrUnsupported }

// PassCredentials is never on.
func (c *Conn) PassCredentials() (bool, error) { return false, nil }

// SetPassCredentials is not possible either.
func (l *Listener) SetPassCredentials(bool) error { return errors.ErrUnsupported }

func parseCredentials(int32, []byte) *cred.Credentials { return nil }

func closeUnasked(int32, []byte) {} // no control message of these systems but SCM_RIGHTS has descriptors
