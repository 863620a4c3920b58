//go:build aix || dragonfly || netbsd || openbsd

package kernel

import (
	"errors"

	"afunix/internal/cred"
)

// peerCredentials needs socket options that package unix does not have for these systems.
func peerCredentials(uintptr) (cred.Credentials, error) {
	return cred.Credentials{}, errors.ErrUnsupported
}
