package difftest_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"afunix"
	"afunix/internal/difftest"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

var (
	operations = flag.Int("ops", 20000, "operations of random programs")
	seed       = flag.Uint64("seed", 1, "of the random programs; 0 chooses one")
	long       = flag.Bool("long", false, "show progress, and go on after a difference")
)

const filesVariable = "AFUNIX_DIFFTEST_FILES"

func TestMain(m *testing.M) {
	files := os.Getenv(filesVariable)
	if files == "" {
		leaktest.Main(m)
	}
	if err := difftest.Serve(files, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func newTester(t *testing.T) *difftest.Tester {
	t.Helper()
	if !difftest.Supported {
		t.Skip("there is no kernel here to compare with: it takes Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tester, err := difftest.NewTester(testenv.TempDir(t), func(files string) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), filesVariable+"="+files, "GORACE=atexit_sleep_ms=0 halt_on_error=1")
		cmd.Stderr = os.Stderr
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tester.Close)
	return tester
}

// check compares random programs on a transport with the kernel's.
func check(t *testing.T, tr afunix.Transport, n int) {
	tester := newTester(t)
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	most := 1
	shown := time.Now()
	if *long {
		most = n
	}
	var last difftest.Progress
	found, err := tester.Check(tr, s, n, most, func(p difftest.Progress) {
		last = p
		if *long && time.Since(shown) > 5*time.Second {
			shown = time.Now()
			fmt.Println(p)
		}
	})
	t.Log(last)
	if err != nil {
		t.Errorf("seed %d: %v", s, err)
	}
	for _, d := range found {
		t.Errorf("seed %d: %v", s, d)
	}
}

// The comparison is sound: what the kernel does twice is the same.
func TestKernelIsLikeItself(t *testing.T) {
	check(t, afunix.KernelTransport, *operations/10)
}

func TestPipeIsLikeKernel(t *testing.T) {
	testenv.NeedPipeRights(t)
	check(t, afunix.PipeTransport, *operations)
}
