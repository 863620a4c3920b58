package apitest

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"afunix"
)

// A plain program reaches a socket with a long path from inside its directory; and is reached
// there.
func TestLongPathOfAPlainProgram(t *testing.T) {
	path := filepath.Join(longDir(t), "s")
	t.Chdir(filepath.Dir(path))
	l, err := (&afunix.ListenConfig{Mode: 0o604}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o604 {
		t.Errorf("%v, %v; want mode 0604", info.Mode(), err)
	}
	plain, err := net.Dial("unix", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	server, err := net.Listen("unix", "plain")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := dialAttempt(t, afunix.DefaultTransport, "unix", filepath.Join(filepath.Dir(path), "plain")); err != nil {
		t.Error(err)
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink("plain", link); err != nil {
		t.Fatal(err)
	}
	if err := dialAttempt(t, afunix.DefaultTransport, "unix", link); err != nil {
		t.Errorf("by a link: %v", err)
	}
}

// Authorize, and a longer last part, make no difference; only a last part that has no room behind
// the directory's descriptor does, for Listen.
func TestLongLastPartOfAPath(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		dir := longDir(t)
		for length, fits := range map[int]bool{82: true, 83: false} {
			path := filepath.Join(dir, strings.Repeat("b", length))
			lc := afunix.ListenConfig{Transport: tr, Authorize: func(afunix.Credentials) error { return nil }}
			l, err := lc.Listen(t.Context(), network, path)
			if !fits {
				expectTooLong(t, err, length)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go l.Accept()
			if err := dialAttempt(t, tr, network, path); err != nil {
				t.Error(err)
			}
		}
	})
}
