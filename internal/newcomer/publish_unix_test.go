//go:build unix

package newcomer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Others use a copy that has been published as README.md says: its library, and its command.
func TestReadmeForPublishers(t *testing.T) {
	if testing.Short() {
		t.Skip("all of the command is compiled")
	}
	for _, program := range []string{"git", "perl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	home := newcomersHome(t)
	needCommandsModules(t)
	home.publishes(t)
	out := home.run(t, repositorySteps+readmeCommands(t, "Publishing a copy")+othersSteps)
	for _, want := range []string{"hello requires github.com/you/afunix v1.0.0\n", "afunix v1.0.0 go", "kernel transport"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
}

// needCommandsModules skips the test where what the command uses is not here and cannot be
// downloaded. "go mod tidy" asks for all of it, and with -diff says something where it would change
// a file.
func needCommandsModules(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy", "-diff")
	cmd.Dir = filepath.Join(root, "cmd", "afunix")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if out, err := cmd.Output(); len(out) > 0 {
		t.Fatalf("cmd/afunix/go.mod is not tidy:\n%s", out)
	} else if err != nil {
		t.Skip("the command's modules are not here: ", complaints.String())
	}
}

// repositorySteps make a repository of the copy.
const repositorySteps = `
git init -q --bare "$ORIGIN"
cd ~/src/afunix
git init -q
git add .
git commit -q -m "A copy"
git remote add origin https://github.com/you/afunix
`

// othersSteps do what others do then.
const othersSteps = `
mkdir ~/hello
cd ~/hello
go mod init example.com/hello
go get github.com/you/afunix
go list -m -f 'hello requires {{.Path}} {{.Version}}' github.com/you/afunix
cd ~
go install github.com/you/afunix/cmd/afunix@latest
~/go/bin/afunix --version
~/go/bin/afunix demo
`

// publishes lets git take a folder for what is on github.com, and go ask git. What go finds there
// stays below the home.
func (h *home) publishes(t *testing.T) {
	t.Helper()
	origin := filepath.Join(h.dir, "origin")
	config := "[user]\n\tname = You\n\temail = you@example.com\n[url \"file://" + origin + "\"]\n\tinsteadOf = https://github.com/you/afunix\n"
	if err := os.WriteFile(filepath.Join(h.dir, ".gitconfig"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "ORIGIN="+origin, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL="+filepath.Join(h.dir, ".gitconfig"),
		"GOPRIVATE=github.com/you", "GOPATH="+filepath.Join(h.dir, "go"), "GOBIN=", "GOMODCACHE=",
		"GOFLAGS=-modcacherw "+os.Getenv("AFUNIX_GOFLAGS"))
}
