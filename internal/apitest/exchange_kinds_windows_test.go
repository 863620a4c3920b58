package apitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"afunix"
	"afunix/internal/testenv"

	"golang.org/x/sys/windows"
)

// systemArticles are those that only this system has.
var systemArticles = []article{
	{"section", afunix.KindMemory, offerSection, useSection},
	{"event", afunix.KindEvent, offerEvent, useEvent},
	{"process", afunix.KindProcess, offerProcess, useProcess},
	{"overlapped file", afunix.KindFile, offerOverlappedFile, useOverlapped},
	{"overlapped pipe", afunix.KindPipe, offerOverlappedPipe, useOverlapped},
	{"overlapped pipe that is not bound", afunix.KindPipe, offerUnboundPipe, useOverlapped},
}

// handlesOfThreads is by how much the number of handles may grow without a leak: package leaktest
// cannot tell an event that a thread got for its first call on a socket (on Wine 8) from another
// without a name, and knows only how many threads have on average. The number stays the same after
// 500 messages and after 2,000; one leak in each would be 500.
const handlesOfThreads = 4

// lend closes a handle that the test has opened when the test ends.
func lend(t *testing.T, h windows.Handle, err error) afunix.Descriptor {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(h) })
	return afunix.Descriptor(h)
}

// take calls use with the only descriptor of r, and closes it.
func take(r afunix.Rights, use func(h windows.Handle) error) error {
	d, err := r.Descriptor(0)
	if err != nil {
		return err
	}
	return errors.Join(use(windows.Handle(d)), windows.CloseHandle(windows.Handle(d)))
}

// awaitObject waits until h is signalled.
func awaitObject(h windows.Handle, limit time.Duration) error {
	switch status, err := windows.WaitForSingleObject(h, uint32(limit.Milliseconds())); status {
	case windows.WAIT_OBJECT_0:
		return nil
	case uint32(windows.WAIT_TIMEOUT):
		return os.ErrDeadlineExceeded
	default:
		return fmt.Errorf("wait: status %d, %w", status, err)
	}
}

const memorySize = 1 << 16

// view maps shared memory.
func view(h windows.Handle, f func(memory []byte) error) error {
	address, err := windows.MapViewOfFile(h, windows.FILE_MAP_READ|windows.FILE_MAP_WRITE, 0, 0, memorySize)
	if err != nil {
		return err
	}
	// The address is one of the system's, which go vet cannot know.
	memory := unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), memorySize)
	return errors.Join(f(memory), windows.UnmapViewOfFile(address))
}

func offerSection(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	h, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, memorySize, nil)
	d := lend(t, h, err)
	return d, func(t *testing.T, p *peer) {
		if err := view(h, func(m []byte) error { return talkThroughMemory(t, p, m) }); err != nil {
			t.Fatal(err)
		}
	}
}

func useSection(k *talk, r afunix.Rights) error {
	return take(r, func(h windows.Handle) error {
		return view(h, func(m []byte) error { return listenThroughMemory(k, m) })
	})
}

// offerEvent offers an event that ends one wait each time that it is signalled.
func offerEvent(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	h, err := windows.CreateEventEx(nil, nil, 0, windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
	d := lend(t, h, err)
	return d, func(t *testing.T, p *peer) {
		p.expect(t, "not signalled")
		p.says(t, "wait")
		if err := windows.SetEvent(h); err != nil {
			t.Fatal(err)
		}
		p.expect(t, "signalled")
		p.says(t, "signal")
		if err := awaitObject(h, patience); err != nil {
			t.Errorf("the receiver's signal: %v", err)
		}
		p.expect(t, "done")
	}
}

func useEvent(k *talk, r afunix.Rights) error {
	return take(r, func(h windows.Handle) error {
		if err := awaitObject(h, aMoment); err != os.ErrDeadlineExceeded {
			return fmt.Errorf("nobody has signalled: %v", err)
		}
		return errors.Join(k.say("not signalled"), k.wait("wait"), awaitObject(h, patience), k.say("signalled"),
			k.wait("signal"), windows.SetEvent(h), k.say("done"))
	})
}

func offerProcess(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	third := start(t, "idle")
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION,
		false, uint32(third.cmd.Process.Pid))
	d := lend(t, h, err)
	return d, func(t *testing.T, p *peer) {
		p.expect(t, fmt.Sprintf("%d is running", third.cmd.Process.Pid))
		p.says(t, "wait")
		third.expectExit(t)
		p.expect(t, "exited with 0")
	}
}

func useProcess(k *talk, r afunix.Rights) error {
	return take(r, func(h windows.Handle) error {
		if err := awaitObject(h, aMoment); err != os.ErrDeadlineExceeded {
			return fmt.Errorf("it is running: %v", err)
		}
		pid, err := windows.GetProcessId(h)
		if err := errors.Join(err, k.say(fmt.Sprintf("%d is running", pid)), k.wait("wait"), awaitObject(h, patience)); err != nil {
			return err
		}
		var status uint32
		err = windows.GetExitCodeProcess(h, &status)
		return errors.Join(err, k.say(fmt.Sprintf("exited with %d", status)))
	})
}

// openOverlapped opens path for overlapped I/O.
func openOverlapped(t *testing.T, path string, disposition uint32) windows.Handle {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	const access = windows.GENERIC_READ | windows.GENERIC_WRITE
	h, err := windows.CreateFile(name, access, 0, nil, disposition, windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// bind binds h to the completion port of this process's poller, which package os does to what is
// overlapped.
func bind(t *testing.T, h windows.Handle) *os.File {
	f := os.NewFile(uintptr(h), "overlapped")
	t.Cleanup(func() { f.Close() })
	return f
}

func offerOverlappedFile(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	f := bind(t, openOverlapped(t, filepath.Join(testenv.TempDir(t), "f"), windows.CREATE_NEW))
	if _, err := f.WriteAt([]byte("ping"), 0); err != nil {
		t.Fatal(err)
	}
	return f, func(t *testing.T, p *peer) {
		p.expect(t, "ping")
		p.asks(t, "write", "written")
		buf := make([]byte, 100)
		if n, err := f.ReadAt(buf, 0); string(buf[:n]) != "pingpong" || err != io.EOF {
			t.Errorf("the file is %q, %v", buf[:n], err)
		}
	}
}

// overlappedPipe returns the ends of a pipe, the near one not yet bound to anything.
func overlappedPipe(t *testing.T) (near windows.Handle, far *os.File) {
	t.Helper()
	path := fmt.Sprintf(`\\.\PIPE\afunix-test-%d-%d`, os.Getpid(), time.Now().UnixNano())
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		0, 1, 4096, 4096, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	far = bind(t, h)
	return openOverlapped(t, path, windows.OPEN_EXISTING), far
}

// offerOverlappedPipe offers an end that is bound to the port of this process. If the receiver's
// operations were posted there, the runtime of this process would crash.
func offerOverlappedPipe(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	h, far := overlappedPipe(t)
	near := bind(t, h)
	expectDeadline(t, near, func() error { return second(near.Read(make([]byte, 1))) })
	return near, func(t *testing.T, p *peer) {
		shareOverlapped(t, p, far, func() {
			if _, err := near.WriteString("mine"); err != nil {
				t.Fatal(err)
			}
			expectRead(t, far, "mine")
		})
	}
}

// offerUnboundPipe offers an end that is not bound to any port, with which this process goes on in
// a way that has completions posted to the port, if there is one. If the receiver had bound it to
// its own, the runtime of the receiver would crash.
func offerUnboundPipe(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	h, far := overlappedPipe(t)
	return lend(t, h, nil), func(t *testing.T, p *peer) {
		shareOverlapped(t, p, far, func() {
			if got, err := readWithEvent(h, func() { far.WriteString("mine") }); got != "mine" || err != nil {
				t.Fatalf("read %q, %v; want mine", got, err)
			}
		})
	}
}

// readWithEvent reads from h, where there is nothing until write has been called.
func readWithEvent(h windows.Handle, write func()) (string, error) {
	event, err := windows.CreateEventEx(nil, nil, windows.CREATE_EVENT_MANUAL_RESET,
		windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(event)
	buf := make([]byte, 100)
	o := &windows.Overlapped{HEvent: event}
	var n uint32
	if err := windows.ReadFile(h, buf, &n, o); err != windows.ERROR_IO_PENDING {
		return "", fmt.Errorf("read at once: %w", err)
	}
	write()
	err = awaitObject(event, patience)
	if err != nil {
		windows.CancelIoEx(h, o)
	}
	err = errors.Join(err, windows.GetOverlappedResult(h, o, &n, true))
	return string(buf[:n]), err
}

// shareOverlapped lets both processes use the near end of a pipe, this one by calling use.
func shareOverlapped(t *testing.T, p *peer, far *os.File, use func()) {
	if _, err := far.WriteString("ping"); err != nil {
		t.Fatal(err)
	}
	far.SetDeadline(time.Now().Add(patience))
	p.expect(t, "ping")
	use()
	p.asks(t, "write", "written")
	expectRead(t, far, "pong")
	use()
}

func expectRead(t *testing.T, f *os.File, want string) {
	t.Helper()
	buf := make([]byte, 100)
	if n, err := f.Read(buf); string(buf[:n]) != want || err != nil {
		t.Fatalf("read %q, %v; want %q", buf[:n], err, want)
	}
}

func useOverlapped(k *talk, r afunix.Rights) error {
	f, err := r.File(0)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 4)
	if _, err := io.ReadFull(f, buf); err != nil {
		return err
	}
	if err := errors.Join(k.say(string(buf)), k.wait("write")); err != nil {
		return err
	}
	_, err = f.WriteString("pong")
	return errors.Join(err, f.Close(), k.say("written"))
}

// The handle of a console means something only to the processes that are attached to it.
func TestExchangeRefusesConsoles(t *testing.T) {
	console, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this process has no console (on Wine, it has one if it is started from a terminal): %v", err)
	}
	defer console.Close()
	eachSide(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "use articles")
		r, w := makePipe(t)
		err := p.say("console", w, console)
		var which *afunix.RightsError
		if !errors.Is(err, afunix.ErrNotSendable) || !errors.As(err, &which) || which.Index != 1 {
			t.Errorf("WriteMsg = %v; want ErrNotSendable for descriptor 1", err)
		}
		p.finish(t) // the connection goes on, and nothing of that message has come
		w.Close()
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("what was to be sent beside it is still open: %v", err)
		}
	})
}

// On Windows every question about such a pipe waits until the read is over, whatever deadline the
// sender has.
func TestPipeThatIsBeingReadCanBeSent(t *testing.T) {
	testenv.NeedWindows(t, "file objects have no lock there")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	read := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	a, b, err := afunix.PipeTransport.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	for _, c := range []*afunix.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 { // the read is surely under way in the end
		if _, err := a.WriteMsg([]byte("x"), r); err != nil {
			t.Fatal(err)
		}
		m, err := b.ReadMsg(make([]byte, 1))
		if err != nil {
			t.Fatal(err)
		}
		if k := m.Rights.Kind(0); k != afunix.KindPipe {
			t.Errorf("kind %v", k)
		}
		m.Rights.Close()
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}
