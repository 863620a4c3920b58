// Package testenv has what tests on every system need.
package testenv

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TempDir is t.TempDir with two differences: its path is short enough for sockets on every system,
// and it is removed without os.RemoveAll, which fails on Wine 8 (ERROR_INVALID_FUNCTION: it lacks
// FileDispositionInformationEx, which Wine 10 has).
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "afunix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TempFile returns an open file with the text, to be read from its start. It is gone when the test
// ends.
func TempFile(t testing.TB, text string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(TempDir(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

// removeAll removes what is below path. Of a link it removes the link.
func removeAll(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(path)
}
