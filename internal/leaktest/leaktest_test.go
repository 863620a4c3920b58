package leaktest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// deed says what the tests of a second process do.
const deed = "AFUNIX_LEAKTEST_DEED"

var deeds = map[string]func() int{
	"nothing":  func() int { return 0 },
	"fail":     func() int { leaked = openFile(); return 3 },
	"file":     func() int { leaked = openFile(); return 0 },
	"listener": func() int { leaked = listen(); return 0 },
	"goroutine": func() int {
		go forgotten(make(chan int))
		return 0
	},
	"threads": func() int { useThreads(); return 0 },
	"garbage": func() int { openFile(); return 0 },
}

// leaked keeps something open; dropped, it would be closed by a finalizer.
var leaked any

func TestMain(m *testing.M) {
	if tests, ok := deeds[os.Getenv(deed)]; ok {
		if os.Getenv(deed) != "garbage" { // which a machine that is busy may be late with
			patience = time.Second / 2
		}
		os.Exit(run(tests, os.Stderr))
	}
	Main(m)
}

func forgotten(c chan int) { <-c }

func openFile() *os.File {
	f, err := os.Open(os.Args[0])
	if err != nil {
		panic(err)
	}
	return f
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}

// useThreads makes the runtime create many threads that it keeps.
func useThreads() {
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	for range 32 {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
}

func TestMainReportsWhatTestsLeaveBehind(t *testing.T) {
	self := filepath.Base(os.Args[0])
	for _, test := range []struct {
		deed   string
		status int
		says   string
	}{
		{"nothing", 0, ""},
		{"fail", 3, ""},
		{"file", 1, "descriptors left behind: 1\n\t"},
		{"listener", 1, "descriptors left behind: 1\n\t"},
		{"goroutine", 1, "leaktest.forgotten"},
		{"threads", 0, ""},
		{"garbage", 0, ""},
	} {
		t.Run(test.deed, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), deed+"="+test.deed)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != test.status {
				t.Errorf("exit status is %d, want %d", got, test.status)
			}
			if !strings.Contains(string(out), test.says) || (test.says == "") != (len(out) == 0) {
				t.Errorf("it says %q, want %q", out, test.says)
			}
			if test.deed == "file" && runtime.GOOS == "linux" && !strings.Contains(string(out), self) {
				t.Errorf("it says %q, want the name of the file, %s", out, self)
			}
		})
	}
}

// recorder is a test whose outcome is looked at.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any) {
	r.errors = append(r.errors, fmt.Sprintln(args...))
}

func (r *recorder) finish() {
	for _, f := range r.cleanups {
		f()
	}
}

func TestCheckSeesOneLeakedDescriptor(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = time.Second / 2
	r := &recorder{TB: t}
	Check(r)
	f := openFile()
	defer f.Close()
	r.finish()
	if len(r.errors) != 1 {
		t.Errorf("reported %q, want one leak", r.errors)
	}
}

func TestCheckWaitsForWhatIsBeingClosed(t *testing.T) {
	r := &recorder{TB: t}
	Check(r)
	f := openFile()
	again := make(chan struct{})
	go func() {
		defer close(again)
		for range 3 {
			runtime.GC()
		}
		f.Close()
	}()
	r.finish()
	<-again
	if len(r.errors) != 0 {
		t.Errorf("reported %q, want nothing", r.errors)
	}
}

func TestDescriptorsCountsOneMore(t *testing.T) {
	for _, test := range []struct {
		name string
		open func() interface{ Close() error }
	}{
		{"file", func() interface{ Close() error } { return openFile() }},
		{"listener", func() interface{ Close() error } { return listen() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := count(t)
			c := test.open()
			if got := count(t); got != before+1 {
				t.Errorf("%d descriptors, want %d", got, before+1)
			}
			c.Close()
			if got := count(t); got != before {
				t.Errorf("%d descriptors after Close, want %d", got, before)
			}
		})
	}
}

func count(t *testing.T) int {
	t.Helper()
	n, err := Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
