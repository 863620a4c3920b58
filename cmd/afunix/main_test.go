package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"afunix/internal/testenv"
)

// patience bounds every wait that should not last.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	programs := map[string]func(){
		"afunix":  main,
		"inherit": func() { exitWith(inheritor(os.Args[1])) },
		"refuse":  func() { os.Exit(3) },
		"say":     say,
		// Programs whose demo has a receiver that is not as it should be.
		"liar":     func() { unlessReceiver(lie) },
		"deserter": func() { unlessReceiver(func() { os.Exit(3) }) },
		"sleeper":  func() { unlessReceiver(sleep) },
	}
	maps.Copy(programs, systemPrograms)
	testscript.Main(tidy{m}, programs)
}

// say says each argument in a line, and listens to the end.
func say() {
	for _, line := range os.Args[1:] {
		fmt.Println(line)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	exitWith(err)
}

// tidy removes the commands that testscript.Main has put first into PATH. That would do so with
// os.RemoveAll, which fails on Wine 8 unless the directory is empty.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	status := t.M.Run()
	if err := removeAll(filepath.SplitList(os.Getenv("PATH"))[0]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func removeAll(path string) error {
	entries, err := os.ReadDir(path)
	if err == nil {
		for _, e := range entries {
			if err := removeAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(path)
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Each script in testdata/script is a test of the command as its users run it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		WorkdirRoot:         shortTempDir(t),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(name string) (bool, error) {
			if name != "passes" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return testenv.PipeRights(), nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each process takes a second longer
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":     await,
			"gone":      gone,
			"empty":     empty,
			"exits":     exits,
			"freeport":  freePort,
			"tcpserver": tcpServer,
			"tcpclient": tcpClient,
			"stale":     stale,
			"crowd":     crowd,
			"big":       big,
		},
	})
}

// shortTempDir returns a directory whose sockets' paths are short enough, which t.TempDir's need
// not be (nor TMPDIR on macOS).
func shortTempDir(t *testing.T) string {
	parent := ""
	if len(os.TempDir()) > 30 {
		if _, err := os.Stat("/tmp"); err == nil {
			parent = "/tmp"
		}
	}
	dir, err := os.MkdirTemp(parent, "afunix")
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

// await FILE waits until there is such a file.
func await(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Lstat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("no file %s after %v", args[0], patience)
		}
	}
}

// empty DIR checks that nothing is left in a directory.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("left in %s: %v", args[0], entries)
	}
}

// exits STATUS PROGRAM ARG… runs a program that must end with that status and, unless that is 0,
// write one line to standard error and nothing to standard output.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if err != nil {
		status = -1
		if _, e := fmt.Sscanf(err.Error(), "exit status %d", &status); e != nil {
			ts.Fatalf("%v", err)
		}
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("exit status %d, not %s; %s", status, args[0], ts.ReadFile("stderr"))
	}
	if text := ts.ReadFile("stderr"); status != 0 && (strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n")) {
		ts.Fatalf("not one line on standard error:\n%s", text)
	}
	if text := ts.ReadFile("stdout"); status != 0 && text != "" {
		ts.Fatalf("a failure wrote to standard output:\n%s", text)
	}
}

// freeport NAME sets a variable to the number of a TCP port that nobody uses.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], port)
}

// tcpserver NAME TEXT sets a variable to the port of a server that sends each client the text.
func tcpServer(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, args[1])
			c.Close()
		}
	}()
}

// tcpclient PORT TEXT connects, sends the text, and waits for the end of the connection. It tries
// again until somebody listens.
func tcpClient(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	c, err := net.Dial("tcp", "127.0.0.1:"+args[0])
	for err != nil && time.Now().Before(deadline) {
		<-again.C
		c, err = net.Dial("tcp", "127.0.0.1:"+args[0])
	}
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(deadline))
	_, err = io.WriteString(c, args[1])
	ts.Check(err)
	ts.Check(c.(*net.TCPConn).CloseWrite())
	_, err = io.Copy(io.Discard, c)
	ts.Check(err)
}

// big FILE makes a file that is large enough for a progress bar.
func big(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), nil, 0o600))
	ts.Check(os.Truncate(ts.MkAbs(args[0]), large+1))
}
