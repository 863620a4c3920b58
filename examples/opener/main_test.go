package main

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

// workerVariable makes the test binary the command.
const workerVariable = "AFUNIX_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) == "" {
		leaktest.Main(m)
	}
	main()
	os.Exit(0)
}

// opener starts serving the directory "files" below the one returned, which the user may reach.
func opener(t *testing.T, uid string) (dir string) {
	t.Helper()
	if runtime.GOOS == "darwin" {
		t.Skip("no unixpacket on this system")
	}
	dir = testenv.TempDir(t)
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "key"), []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte("not to be had"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listen(filepath.Join(dir, "s"), uid)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(l, files) }()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	return dir
}

func TestWorkerOfTheSameUser(t *testing.T) {
	self, err := user.Current()
	if err != nil {
		t.Skip("the system does not say who we are: ", err)
	}
	dir := opener(t, self.Uid)
	out := new(strings.Builder)
	if err := run([]string{"read", filepath.Join(dir, "s"), "key"}, out); err != nil || out.String() != "a secret" {
		t.Errorf("it reads %q, %v", out, err)
	}
	for _, name := range []string{"nothing", filepath.Join("..", "other"), filepath.Join(dir, "other"), ""} {
		if err := run([]string{"read", filepath.Join(dir, "s"), name}, out); err == nil {
			t.Errorf("%q could be opened", name)
		}
	}
}

func TestStrangersAreSentAway(t *testing.T) {
	dir := opener(t, "4242")
	c, err := afunix.Dial("unixpacket", filepath.Join(dir, "s"))
	if err != nil {
		return // some transports say so at once
	}
	defer c.Close()
	if m, err := c.ReadMsg(make([]byte, 10)); err == nil {
		t.Errorf("a stranger is told %q", m.Data)
	}
}
