//go:build unix

package newcomer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// root is where this repository is.
var root = filepath.Join("..", "..")

// What README.md says about other modules works to the letter, over require and replace as in a
// workspace; and so do packages dropin there.
func TestReadmeForOtherModules(t *testing.T) {
	steps := readmeCommands(t, "Using it from another module")
	direct, rest, ok := strings.Cut(steps, "go mod edit ")
	if !ok || !strings.HasSuffix(rest, "go run .\n") {
		t.Fatalf("README.md has other commands than this test knows:\n%s", steps)
	}
	home := newcomersHome(t)
	t.Run("replace", func(t *testing.T) {
		expectFile(t, home.run(t, steps+dropinSteps+oneModuleSteps))
	})
	t.Run("workspace", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		const workspace = `go work init . "$AFUNIX"`
		if !strings.Contains(string(text), "`"+workspace+"` and `go run .`") {
			t.Fatalf("README.md says nothing of %s", workspace)
		}
		expectFile(t, home.run(t, direct+workspace+"\ngo run .\n"+dropinSteps))
	})
}

func expectFile(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains(out, "module example.com/hello\n") {
		t.Errorf("the program did not receive its file:\n%s", out)
	}
}

// dropinSteps build a program over packages dropin, in the module at hand. With what flags the
// packages that it uses have been compiled already, if they have, AFUNIX_GOFLAGS says, and for
// Windows AFUNIX_GOFLAGS_WINDOWS.
const dropinSteps = `
mkdir server
cat >server/main.go <<'END'
package main

import (
	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
)

func main() {
	p, err := unix.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		panic(err)
	}
	var c *net.UnixConn
	println(c == nil, len(syscall.UnixRights(p[:]...)))
}
END
go vet ./server
go vet -tags afunix_pipe ./server
go run ./server
GOOS=windows GOFLAGS="${AFUNIX_GOFLAGS_WINDOWS:-$GOFLAGS}" go build -o server.exe ./server
`

// oneModuleSteps see that the library has brought one module with it, golang.org/x/sys.
const oneModuleSteps = `
go mod tidy
cat go.mod
[[ $(grep -c ' v[0-9]' go.mod) == 2 ]]
grep -q golang.org/x/sys go.mod
`

// readmeCommands returns the blocks of commands below a heading of README.md, one after the other.
func readmeCommands(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var commands strings.Builder
	for _, block := range strings.Split(section, "\n```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```\n")
		commands.WriteString(block)
	}
	if commands.Len() == 0 {
		t.Fatalf("README.md has no commands below %q", heading)
	}
	return commands.String()
}

// A home is a newcomer's, with a copy of this repository in src/afunix, and modules that have been
// downloaded for it.
type home struct {
	dir string
	env []string
}

func newcomersHome(t *testing.T) home {
	t.Helper()
	for _, program := range []string{"bash", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	h := home{dir: t.TempDir()}
	copyTree(t, filepath.Join(h.dir, "src", "afunix"))
	cache := goEnv(t, "GOMODCACHE")
	h.env = append(os.Environ(),
		"HOME="+h.dir,
		"GOWORK=", "GOFLAGS=-buildvcs=false "+os.Getenv("AFUNIX_GOFLAGS"),
		"GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+cache, "GOTOOLCHAIN=local", "GOROOT="+goEnv(t, "GOROOT"),
		// The sums are those in go.sum here, and not asked for again.
		"GOPROXY=file://"+filepath.Join(cache, "cache", "download")+","+goEnv(t, "GOPROXY"), "GONOSUMDB=*")
	return h
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// copyTree copies this repository, but for examples, documents and measurements, to a new folder.
func copyTree(t *testing.T, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"go.*", "*.go", "internal", "activation", "dropin", "upgrade", "cmd", "scripts"} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || matches == nil {
			t.Fatal(pattern, err)
		}
		for _, path := range matches {
			if err := copyAny(path, filepath.Join(to, filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// copyAny copies a file or a folder.
func copyAny(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// run does steps in a new directory, and returns what they say.
func (h home) run(t *testing.T, steps string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // all of it is compiled, for two systems
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", steps)
	cmd.Dir, cmd.Env = t.TempDir(), h.env
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
