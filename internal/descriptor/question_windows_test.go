package descriptor

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/testenv"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// kindInTime returns what Kind says, which it must do soon.
func kindInTime(t *testing.T, v uintptr) (k Kind, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k, err = System.Kind(v)
	}()
	select {
	case <-done:
		return k, err
	case <-time.After(patience):
		t.Fatal("Kind does not return")
		return Other, nil
	}
}

// silence makes the system answer no question until the test is over.
func silence(t *testing.T) {
	t.Helper()
	before, limit := lookAt, lateAfter
	answer := make(chan struct{})
	lookAt = func(windows.Handle) (Kind, error) {
		<-answer
		return Other, nil
	}
	lateAfter = time.Millisecond
	t.Cleanup(func() {
		close(answer)
		for end := time.Now().Add(patience); left.Load() > 0; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("questions are left that have been answered")
			}
		}
		lookAt, lateAfter = before, limit
	})
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestKindOfAFileThatAnswersNothingIsPipe(t *testing.T) {
	r, _ := pipe(t)
	silence(t)
	for range maxLeft {
		if k, err := kindInTime(t, handle(t, r)); k != Pipe || err != nil {
			t.Fatalf("%v, %v; want Pipe", k, err)
		}
	}
	if _, err := kindInTime(t, handle(t, r)); err != syscall.EBUSY {
		t.Errorf("with %d questions left behind: %v, want EBUSY", maxLeft, err)
	}
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if k, err := kindInTime(t, must(t, event, err)); k != Event || err != nil {
		t.Errorf("of an event: %v, %v", k, err)
	}
}

// On Windows a synchronous file object is locked while an operation is under way, and every
// question about it waits.
func TestKindOfAPipeThatIsBeingReadDoesNotWaitForThat(t *testing.T) {
	testenv.NeedWindows(t, "file objects have no lock there")
	r, w := pipe(t)
	v := handle(t, r)
	read := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	// That the read is under way cannot be asked: it would be asked of the pipe. So a few times,
	// until it surely is.
	for range 5 {
		if k, err := kindInTime(t, v); k != Pipe || err != nil {
			t.Errorf("%v, %v; want Pipe", k, err)
		}
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestAskingCostsNoGarbage(t *testing.T) {
	r, _ := pipe(t)
	h := windows.Handle(handle(t, r))
	itself := testing.AllocsPerRun(100, func() { fileKind(h) })
	if n := testing.AllocsPerRun(100, func() { askKind(h) }); n > itself {
		t.Errorf("%v allocations, where the answer costs %v", n, itself)
	}
}
