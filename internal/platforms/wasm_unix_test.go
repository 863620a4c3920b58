//go:build unix

package platforms

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// Where there is no descriptor passing every way to a socket is errors.ErrUnsupported.
func TestUnsupported(t *testing.T) {
	if testenv.Race {
		t.Skip("it is another program that is tested")
	}
	for _, program := range []string{"go", "node"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the standard library is compiled
	defer cancel()
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")
	cmd := exec.CommandContext(ctx, "go", "run", "-gcflags=all=-dwarf=false -l", "-exec", "bash "+wrapper, "./testdata/unsupported")
	// No debugger looks at this program, and nothing is inlined: it runs once.
	cmd.Env = append(cmd.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
