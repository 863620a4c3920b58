//go:build !linux && !windows

package afunix_test

import (
	"io"
	"testing"
)

// There is no pipe transport on this system: tests of ends that move skip themselves.

const moves = 0

func suspend(t *testing.T, _ *peer) { t.Skip("not on this system") }

func wake(*testing.T, *peer) {}

func dialInSilence(t *testing.T, _ string, _ uint8) io.Closer {
	t.Skip("not on this system")
	return nil
}
