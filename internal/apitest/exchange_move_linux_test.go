package apitest

import (
	"io"
	"testing"

	"afunix/internal/linuxpipe"
	"afunix/internal/sock"
)

// moves is how often an end moves in a test of what that leaves behind.
const moves = 100

// dialInSilence opens a pipe of the listener at path, and says no hello.
func dialInSilence(t *testing.T, path string, socketType uint8) io.Closer {
	t.Helper()
	p, err := linuxpipe.System{}.Dial(t.Context(), path, "", sock.Type(socketType))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
