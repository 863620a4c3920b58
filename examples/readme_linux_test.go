// Package examples has nothing but a test of what the README says.
package examples

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// patience bounds how long a recipe may take. The first and the last call compilers, which takes an
// emulated machine minutes.
const patience = 8 * time.Minute

// A recipe is a section of the README: what is typed, and what is seen.
type recipe struct{ title, input, output string }

func recipes(t *testing.T) []recipe {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$")
	var list []recipe
	for section := range strings.SplitSeq(string(text), "\n## ") {
		title, body, _ := strings.Cut(section, "\n")
		r := recipe{title: title}
		for _, block := range blocks.FindAllStringSubmatch(body, -1) {
			if block[1] == "sh" {
				r.input += block[2]
			} else {
				r.output += block[2]
			}
		}
		list = append(list, r)
	}
	return list
}

func TestReadme(t *testing.T) {
	dir := testenv.TempDir(t)
	build, rest := recipes(t)[0], recipes(t)[1:]
	if build.input != "go build -o bin/ ./examples/...\n" {
		t.Fatalf("first of all is %q", build.input)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	inDirectory := strings.NewReplacer("go build", "go build -C "+root, "-o bin/",
		"-o "+dir+"/bin/", " examples/", " "+root+"/examples/")
	run(t, dir, inDirectory.Replace(build.input))
	if len(rest) != 7 {
		t.Errorf("there are %d recipes", len(rest))
	}
	for _, r := range rest {
		t.Run(r.title, func(t *testing.T) {
			for _, tool := range []string{"python3", "curl", "cc"} {
				if _, err := exec.LookPath(tool); err != nil && strings.Contains(r.input, tool+" ") {
					t.Skip("not installed: ", tool)
				}
			}
			const example = "127.0.0.1:8080"
			address := freeAddress(t)
			got := run(t, dir, strings.ReplaceAll(inDirectory.Replace(r.input), example, address))
			want := strings.ReplaceAll(regexp.QuoteMeta(strings.ReplaceAll(r.output, example, address)), "…", ".*")
			if !regexp.MustCompile("^" + want + "$").MatchString(got) {
				t.Errorf("it prints:\n%s\nand should:\n%s", got, r.output)
			}
		})
	}
}

// run returns what a script prints on standard output.
func run(t *testing.T, dir, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said := new(bytes.Buffer)
	cmd.Stderr = said
	out, err := cmd.Output()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what a script has left behind that has failed
	}
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, said)
	}
	return string(out)
}

// freeAddress is where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
