package upgrade

import (
	"bytes"
	"io"
	"os"
)

// takeActivated takes over nothing: no service manager here passes sockets.
func takeActivated() ([]*offer, error) { return nil, nil }

// isSocketFile reports whether path is that of a socket, and nothing that somebody would miss. There it is a file that begins like
// this (internal/winpipe/sockfile.go).
func isSocketFile(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := []byte("!<afunix socket 1>\n")
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, magic)
}
