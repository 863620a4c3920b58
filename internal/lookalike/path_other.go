//go:build !windows

package lookalike

import (
	"strings"

	"afunix/internal/errno"
)

// Elsewhere refuses the name of a pipe of Windows, \\.\pipe\NAME, where there are none: EOPNOTSUPP.
// (As a path it would be a file with backslashes in its name. With ./ in front it is that.)
func Elsewhere(name string) error {
	if strings.HasPrefix(name, `\\`) && PipeName(name) != "" {
		return &Error{errno.EOPNOTSUPP, "it is the name of a pipe of Windows"}
	}
	return nil
}
