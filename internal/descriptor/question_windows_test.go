package descriptor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// Files that give no answer are pipes, and hold up what is asked about beside them no longer than
// for that.
func TestKindsOfFilesOfWhichSomeAnswerNothing(t *testing.T) {
	r, w := pipe(t)
	file, err := os.Create(filepath.Join(testenv.TempDir(t), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(event) })
	silence(t)
	never := lookAt
	lookAt = func(h windows.Handle) (Kind, error) {
		if h == windows.Handle(file.Fd()) {
			return fileKind(h)
		}
		return never(h)
	}
	values := []uintptr{file.Fd(), handle(t, r), uintptr(event), file.Fd(), handle(t, w), file.Fd()}
	want := []Kind{File, Pipe, Event, File, Pipe, File}
	asked := make([]Asked, len(values))
	for i, v := range values {
		asked[i].Value = v
	}
	n, err := System.Kinds(asked)
	if n != len(asked) || err != nil {
		t.Fatalf("%d, %v; want %d", n, err, len(asked))
	}
	for i, a := range asked {
		if a.Kind != want[i] {
			t.Errorf("number %d: %v, want %v", i, a.Kind, want[i])
		}
	}
}

// A goroutine for each file would cost more than the answers.
func TestKindsAreAskedOnOneGoroutine(t *testing.T) {
	r, _ := pipe(t)
	asked := make([]Asked, 253)
	for i := range asked {
		asked[i].Value = handle(t, r)
	}
	askers := map[string]bool{}
	lookAt = func(h windows.Handle) (Kind, error) {
		stack := make([]byte, 64)
		id, _, _ := strings.Cut(string(stack[:runtime.Stack(stack, false)]), "[")
		askers[id] = true
		return fileKind(h)
	}
	t.Cleanup(func() { lookAt = fileKind })
	if n, err := System.Kinds(asked); n != len(asked) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if len(askers) != 1 {
		t.Errorf("%d goroutines have asked, want 1", len(askers))
	}
}

// An error is about the first that is not open.
func TestKindsUpToOneThatIsNotOpen(t *testing.T) {
	r, w := pipe(t)
	closed := handle(t, w)
	w.Close()
	asked := []Asked{{Value: handle(t, r)}, {Value: closed}, {Value: 3}, {Value: handle(t, r)}}
	if n, err := System.Kinds(asked); n != 1 || err != syscall.EBADF || asked[0].Kind != Pipe {
		t.Errorf("%d, %v, %v; want 1, EBADF, Pipe", n, err, asked[0].Kind)
	}
}

func TestAskingCostsNoGarbage(t *testing.T) {
	r, _ := pipe(t)
	v := handle(t, r)
	itself := testing.AllocsPerRun(100, func() { objectKind(v); fileKind(windows.Handle(v)) })
	asked := []Asked{{Value: v}}
	if n := testing.AllocsPerRun(100, func() { System.Kinds(asked) }); n > itself {
		t.Errorf("%v allocations, where the answer costs %v", n, itself)
	}
}
