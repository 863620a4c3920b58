package winpipe

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
	"afunix/internal/winfile"
)

// openAs opens a file as other programs do.
func openAs(t *testing.T, path string, access, share uint32) windows.Handle {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(h) })
	return h
}

// How a program may have a socket file open: what it asks for, and what it lets others do
// meanwhile.
var holders = []struct {
	name          string
	access, share uint32
	vacated       bool // the file cannot be removed, but be written
}{
	{"a backup", windows.GENERIC_READ, winfile.ShareAll, false},
	{"os.Open", windows.GENERIC_READ, windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE, true},
	{"an indexer", windows.FILE_READ_ATTRIBUTES, 0, false}, // attributes are for everybody
}

func TestSocketFileThatSomebodyHasOpenHoldsNoName(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		for _, holder := range holders {
			path := filepath.Join(testenv.TempDir(t), "socket")
			l := listen(t, path)
			if readOnly {
				protect(t, path)
			}
			h := openAs(t, path, holder.access, holder.share)
			if err := l.Close(); err != nil {
				t.Errorf("%s, read-only %t: Close: %v", holder.name, readOnly, err)
			}
			if _, err := system.Dial(t.Context(), path, "", stream); err != syscall.ECONNREFUSED && err != syscall.ENOENT {
				t.Errorf("%s, read-only %t: Dial after Close: %v", holder.name, readOnly, err)
			}
			if _, err := os.Stat(path); (err == nil) != holder.vacated {
				t.Errorf("%s, read-only %t: after Close the file is %v", holder.name, readOnly, err)
			}
			canBeBound(t, path)
			var b [1]byte
			var n uint32
			if err := windows.ReadFile(h, b[:], &n, nil); err == nil && b[0] != '!' {
				t.Errorf("%s reads %q", holder.name, b)
			}
		}
	}
}

// protect makes a file read-only.
func protect(t *testing.T, path string) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err == nil {
		err = windows.SetFileAttributes(name, windows.FILE_ATTRIBUTE_READONLY|windows.FILE_ATTRIBUTE_SYSTEM)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// canBeBound listens at path, and sees that a client gets there.
func canBeBound(t *testing.T, path string) {
	t.Helper()
	l, err := system.Listen(path, seqpacket, pipe.Options{})
	if err != nil {
		t.Errorf("Listen: %v", err)
		return
	}
	defer l.Close()
	p, err := system.Dial(t.Context(), path, "", seqpacket)
	if err != nil {
		t.Errorf("Dial: %v", err)
		return
	}
	p.Close()
}

func TestReadOnlySocketFileIsRemoved(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	protect(t, path)
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}
}

// A virus scanner looks at a new file, and lets nobody touch it meanwhile.
func TestSocketFileThatIsBusyForAMomentIsRemovedAndRead(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	name, _ := windows.UTF16PtrFromString(path)
	moment := func() (done chan error) {
		h, err := windows.CreateFile(name, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		done = make(chan error, 1)
		attempts := 0
		winfile.Busy = func() {
			if attempts++; attempts == 3 {
				done <- windows.CloseHandle(h)
			}
		}
		return done
	}
	defer func() { winfile.Busy = func() {} }()
	done := moment()
	dial(t, path)
	if err := within(t, "the scanner", func() error { return <-done }); err != nil {
		t.Error(err)
	}
	done = moment()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := within(t, "the scanner", func() error { return <-done }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}
}

func TestSocketFileThatNobodyMayTouchStaysAsAfterACrash(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	openAs(t, path, windows.GENERIC_READ, windows.FILE_SHARE_READ)
	if err := l.Close(); err != syscall.EBUSY {
		t.Errorf("Close: %v, want EBUSY", err)
	}
	if _, err := system.Dial(t.Context(), path, "", stream); err != syscall.ECONNREFUSED {
		t.Errorf("Dial: %v, want ECONNREFUSED", err)
	}
	if _, err := system.Listen(path, stream, pipe.Options{}); err != syscall.EADDRINUSE {
		t.Errorf("Listen: %v, want EADDRINUSE", err)
	}
}

// vacantFile leaves one, which somebody has open.
func vacantFile(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	openAs(t, path, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOneOfManyTakesOverAVacantFile(t *testing.T) {
	for range 3 {
		path := vacantFile(t)
		const rivals = 8
		listeners := make(chan pipe.Source, rivals)
		var all sync.WaitGroup
		for range rivals {
			all.Go(func() {
				l, err := system.Listen(path, stream, pipe.Options{})
				switch err {
				case nil:
					listeners <- l
				case syscall.EADDRINUSE:
				default:
					t.Errorf("Listen: %v", err)
				}
			})
		}
		all.Wait()
		if len(listeners) != 1 {
			t.Errorf("%d of %d listen", len(listeners), rivals)
		}
		close(listeners)
		for l := range listeners {
			dial(t, path)
			l.Close()
		}
	}
}

func TestOnlyVacantFilesAreTakenOver(t *testing.T) {
	dir := testenv.TempDir(t)
	live := filepath.Join(dir, "live")
	l := listen(t, live)
	vacant := sockfile{socketType: stream}
	for name, content := range map[string]string{
		"stale": exampleFile,
		"text":  "some text",
		"empty": "",
		"more":  string(vacant.append(nil)) + "x",
		"less":  string(vacant.append(nil)[:40]),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := system.Listen(path, stream, pipe.Options{}); err != syscall.EADDRINUSE {
			t.Errorf("%s: %v, want EADDRINUSE", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s: is %q now, %v", name, got, err)
		}
	}
	if _, err := system.Listen(live, stream, pipe.Options{}); err != syscall.EADDRINUSE {
		t.Errorf("live: %v, want EADDRINUSE", err)
	}
	dial(t, live)
	accept(t, l)
}

// A listener that closes late does not take the file from the listener that has taken it over.
func TestVacantFileThatWasTakenOverIsLeftAlone(t *testing.T) {
	path := vacantFile(t)
	l := listen(t, path)
	former := boundFile{path, sockfile{socketType: stream}}
	former.content.id[0] = 1
	if err := former.remove(); err != nil {
		t.Error(err)
	}
	dial(t, path)
	accept(t, l)
}

// A file's owner decides on what is in it, and on who else may.
func TestVacantFileOfAnotherUserIsNotTakenOver(t *testing.T) {
	path := vacantFile(t)
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := securityAttributes("O:SYD:P(A;;GA;;;SY)")
	if err != nil {
		t.Fatal(err)
	}
	if err := takeOver(name, sockfile{stream, pipeID{1}}, attributes); err != errNotOurs {
		t.Errorf("takeOver: %v, want errNotOurs", err)
	}
	if !isVacant(name) {
		t.Error("it was written all the same")
	}
}

// Who learns that a listener is closed, if only by a second Close, finds no file.
func TestTheSocketFileGoesBeforeAnybodyLearnsOfClose(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	scanner := openAs(t, path, windows.GENERIC_READ, 0)
	busy, finished := make(chan struct{}), make(chan struct{})
	winfile.Busy = sync.OnceFunc(func() {
		close(busy)
		<-finished
	})
	defer func() { winfile.Busy = func() {} }()
	calls := make(chan error, 3)
	call := func(f func() error) {
		go func() {
			err := f()
			if _, there := os.Stat(path); !errors.Is(there, fs.ErrNotExist) {
				t.Errorf("%v, and the file: %v", err, there)
			}
			calls <- err
		}()
	}
	call(func() error { _, err := l.Accept(); return err })
	call(l.Close)
	within(t, "the first Close", func() error { <-busy; return nil })
	call(l.Close)
	runtime.Gosched()
	if len(calls) > 0 {
		t.Errorf("a call has returned while the file is there: %v", <-calls)
	}
	windows.CloseHandle(scanner)
	close(finished)
	closed := 0
	for range cap(calls) {
		if err := within(t, "a call", func() error { return <-calls }); err == net.ErrClosed {
			closed++
		}
	}
	if closed != 2 {
		t.Errorf("%d calls say that the listener is closed, want Accept and one of two Closes", closed)
	}
}

// What another process has handed on may not be a listener: its file is not removed before that is
// known, and Close waits for that, though not for ever.
func TestTheSocketFileOfAListenerThatIsExaminedGoesWithClose(t *testing.T) {
	examinationLimit = 50 * time.Millisecond
	defer func() { examinationLimit = 5 * time.Second }()
	for _, test := range []struct {
		name    string
		verdict error
		never   bool
		stays   bool
	}{
		{name: "a listener"},
		{name: "something else", verdict: syscall.EPROTO, stays: true},
		{name: "no answer", never: true, stays: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(testenv.TempDir(t), "socket")
			l := examined(t, path)
			asked, answer := make(chan struct{}), make(chan struct{})
			l.exam = examine(func() error {
				close(asked)
				<-answer
				return test.verdict
			})
			<-asked
			if !test.never {
				close(answer)
			} else {
				defer close(answer)
			}
			if err := within(t, "Close", l.Close); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := os.Stat(path); (err == nil) != test.stays {
				t.Errorf("after Close the file is %v", err)
			}
		})
	}
}

// examined returns a listener at path that was handed on, to be examined. Its file goes with it.
func examined(t *testing.T, path string) *Listener {
	t.Helper()
	former := listen(t, path)
	handles, state, err := former.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newSource(duplicateHandles(t, handles), state)
	if err != nil {
		t.Fatal(err)
	}
	former.SetUnlinkOnClose(false)
	former.Close()
	return l
}
