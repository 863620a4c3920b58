package apitest

import (
	"io"
	"testing"

	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

// moves is how often an end moves in a test of what that leaves behind. (Wine takes its time.)
const moves = 10

// dialInSilence opens a pipe of the listener at path, and says no hello.
func dialInSilence(t *testing.T, path string, socketType uint8) io.Closer {
	t.Helper()
	p, err := winpipe.System{}.Dial(t.Context(), path, "", sock.Type(socketType))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
