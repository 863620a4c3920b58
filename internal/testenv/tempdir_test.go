package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// A link in the directory is removed, and not what it leads to.
func TestTempDirRemovesNothingElse(t *testing.T) {
	precious := filepath.Join(TempDir(t), "precious")
	if err := os.Mkdir(precious, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(precious, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var dir string
	t.Run("with a link", func(t *testing.T) {
		dir = TempDir(t)
		if err := os.Mkdir(filepath.Join(dir, "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(precious, filepath.Join(dir, "inner", "link")); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	})
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
	if _, err := os.Stat(filepath.Join(precious, "file")); err != nil {
		t.Error(err)
	}
}
