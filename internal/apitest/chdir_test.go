package apitest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// A listener with a relative path removes its socket file, in whatever directory the process is by
// then, and no other's of that name.
func TestCloseRemovesTheFileOfARelativePath(t *testing.T) {
	for _, how := range []string{"closed", "handed on", "sent"} {
		t.Run(how, func(t *testing.T) {
			eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
				first, second := testenv.TempDir(t), testenv.TempDir(t)
				t.Chdir(first)
				l := listen(t, tr, network, "s")
				t.Chdir(second)
				other := listen(t, tr, network, "s")
				switch how {
				case "handed on":
					l = handedOn(t, tr, l)
					l.SetUnlinkOnClose(true)
				case "sent":
					if tr == afunix.KernelTransport {
						t.Skip("what is sent stays here, too")
					}
					a, b := pair(t, tr, "unix")
					mustWriteMsg(t, a, "x", l)
					mustReadMsg(t, b, "x", 1).Rights.Close()
				}
				if err := l.Close(); err != nil && how != "sent" {
					t.Error(err)
				}
				if _, err := os.Lstat(filepath.Join(second, "s")); err != nil {
					t.Errorf("another listener's socket file: %v", err)
				}
				if tr == afunix.KernelTransport && how == "handed on" {
					return // the kernel knows the relative path that was bound, and nobody else does
				}
				expectFile(t, filepath.Join(first, "s"), false)
				if err := other.Close(); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(filepath.Join(second, "s")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("its own socket file: %v", err)
				}
			})
		})
	}
}
