//go:build unix

package apitest

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"afunix"
)

// A socket file of another system's program is refused as any file, with a word about what it is.
func TestSocketFilesOfOtherSystems(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		for content, what := range map[string]string{
			"52301\n0123456789abcdef":                               "GnuPG on Windows",
			"!<socket >52301 s 1A2B3C4D-1A2B3C4D-1A2B3C4D-1A2B3C4D": "Cygwin",
			"%Assuan%\nsocket=/run/user/1000/gnupg/S.gpg-agent\n":   "names another socket",
			"words": "",
		} {
			path := socketPath(t)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := dialAttempt(t, tr, network, path); !errors.Is(err, unix.ECONNREFUSED) || !strings.Contains(err.Error(), what) {
				t.Errorf("%q: %v; want ECONNREFUSED, and %q", content, err, what)
			}
		}
		fifo := socketPath(t)
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Skip(err)
		}
		if err := dialAttempt(t, tr, network, fifo); !errors.Is(err, unix.ECONNREFUSED) { // and does not wait
			t.Errorf("a FIFO: %v", err)
		}
	})
}
