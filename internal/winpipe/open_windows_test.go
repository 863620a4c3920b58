package winpipe

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/testenv"
	"afunix/internal/winfile"
)

// duplicate returns another handle of p's end.
func duplicate(p pipe.Pipe) (h windows.Handle, err error) {
	controlErr := p.SyscallConn().Control(func(fd uintptr) { h, err = duplicateHandle(windows.Handle(fd)) })
	return h, errors.Join(controlErr, err)
}

func duplicateHandle(h windows.Handle) (copied windows.Handle, err error) {
	self := windows.CurrentProcess()
	err = windows.DuplicateHandle(self, h, self, &copied, 0, false, windows.DUPLICATE_SAME_ACCESS)
	return copied, err
}

func openPipeOf(h windows.Handle, server bool) (*Pipe, error) {
	p, err := system.OpenPipe(uintptr(h), server)
	if err != nil {
		return nil, err
	}
	return p.(*Pipe), nil
}

// handOn moves p's end within this process.
func handOn(p *Pipe) (*Pipe, error) {
	h, err := duplicate(p)
	if err != nil {
		return nil, err
	}
	moved, err := openPipeOf(h, p.origin.server)
	if err != nil {
		return nil, err
	}
	if err := moved.end.settle(); err != nil {
		moved.Close()
		return nil, err
	}
	return moved, p.Close()
}

func handedOnPair() (a, b pipe.Pipe, err error) {
	x, y, err := system.Pair()
	if err != nil {
		return nil, nil, err
	}
	if a, err = handOn(x.(*Pipe)); err == nil {
		b, err = handOn(y.(*Pipe))
	}
	return a, b, err
}

// Whatever the other tests of this package say of pairs must hold for ends that were handed on.
func TestEndsThatWereHandedOnDoTheSame(t *testing.T) { doTheSame(t, handedOnPair) }

// doTheSame runs the tests of pipes with pairs that newPair does not make.
func doTheSame(t *testing.T, other func() (a, b pipe.Pipe, err error)) {
	newPair = other
	defer func() { newPair = system.Pair }()
	for name, test := range map[string]func(*testing.T){
		"sizes":               TestPacketsOfEverySizeArriveWholeInBothDirections,
		"head and body":       TestHeadAndBodyAreOnePacket,
		"no packets":          TestPacketsThatAreNoneAreRefused,
		"too large":           TestPacketThatIsTooLargeIsEMSGSIZE,
		"full":                TestFullPipeIsEAGAINUntilThePeerReads,
		"full and closed":     TestFullPipeWhosePeerClosesIsEPIPE,
		"outlives":            TestWhatWasWrittenOutlivesTheWriter,
		"pending outlives":    TestPendingPacketOutlivesTheWriter,
		"given up":            TestPendingPacketIsGivenUpInTheEnd,
		"close wakes":         TestCloseWakesReaderAndWriter,
		"after close":         TestEveryCallAfterCloseSaysSo,
		"allocations":         TestReadingAndWritingAllocateNothing,
		"interrupt drains":    TestInterruptDrainsThePipeAndThenEndsReading,
		"interrupt and loss":  TestInterruptLosesNoPacket,
		"interrupt wakes":     TestInterruptWakesReader,
		"read now":            TestReadNowNeverWaits,
		"resume":              TestResumedReaderWaitsAgain,
		"resume after close":  TestResumeDoesNotReviveAClosedPipe,
		"interrupted and end": TestInterruptedReaderSeesTheEnd,
		"again":               TestPeerCanBeIdentifiedAgain,
		"answer":              TestPeerThatHasNotAnsweredIsNotConfirmed,
		"without a peer":      TestWithoutAPeerNothingIsDuplicated,
		"impersonation":       TestImpersonationEndsAndYieldsTheClient,
	} {
		t.Run(name, test)
	}
}

// Closing an os.File cancels whatever this process has under way at the same end, by any handle.
func TestClosingTheFormerHandleHoldsUpNothing(t *testing.T) {
	x, y := pair(t)
	h, err := duplicate(x)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openPipeOf(h, true)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.end.settle()
	got := make(chan error, 1)
	go func() {
		packet, err := tryRead(a)
		if err == nil && string(packet) != "to a" {
			err = errors.New(string(packet))
		}
		got <- err
	}()
	n := fill(t, a)
	x.Close()
	write(t, y, []byte("to a"))
	if err := within(t, "Read", func() error { return <-got }); err != nil {
		t.Errorf("Read: %v", err)
	}
	if err := a.Write([]byte("x"), nil); err != syscall.EAGAIN {
		t.Errorf("Write into a full pipe: %v, want EAGAIN", err)
	}
	within(t, "the packets", func() error { expectPackets(t, y, n); return nil })
}

// Closing one handle of an end does not cancel what pends there while there is another one.
func TestPendingPacketOfAnEndThatOthersHaveIsGivenUpInTheEnd(t *testing.T) {
	x, _ := pair(t)
	another, err := duplicate(x)
	closeHandles(t, uintptr(must(t, another, err)))
	leaktest.Check(t) // before the other handle is closed
	h, err := duplicate(x)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openPipeOf(h, true)
	if err != nil {
		t.Fatal(err)
	}
	a.end.settle()
	a.linger = time.Millisecond
	fill(t, a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// uncertain is the end of a pair whose examination ends, with err, when settle is called.
type uncertain struct {
	*Pipe
	settle func(err error)
}

func newUncertain(t *testing.T) (u uncertain, peer *Pipe) {
	t.Helper()
	x, y := pair(t)
	h, err := duplicate(x)
	if err != nil {
		t.Fatal(err)
	}
	verdict := make(chan error, 1)
	e, err := newForeign(h, examine(func() error { return <-verdict }))
	if err != nil {
		t.Fatal(err)
	}
	from := newOrigin(h, true, "")
	p, err := openEnd(e, &from)
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	u = uncertain{p, func(err error) {
		select {
		case verdict <- err:
		default:
		}
	}}
	t.Cleanup(func() { p.Close(); u.settle(nil) })
	return u, y
}

func TestUntilAnEndIsKnownItTakesOnePacketAndReadsNone(t *testing.T) {
	a, b := newUncertain(t)
	write(t, b, []byte("to a"))
	if _, _, _, err := a.ReadNow(&buffers, nil); err != syscall.EAGAIN {
		t.Errorf("ReadNow: %v, want EAGAIN", err)
	}
	write(t, a.Pipe, []byte("one"))
	if err := a.Write([]byte("two"), nil); err != syscall.EAGAIN {
		t.Errorf("second Write: %v, want EAGAIN", err)
	}
	if _, _, _, err := b.ReadNow(&buffers, nil); err != syscall.EAGAIN {
		t.Errorf("the peer's ReadNow: %v, want EAGAIN", err)
	}
	a.Interrupt() // what is in the pipe comes before the interruption
	results := make(chan error, 2)
	go func() { results <- a.WaitWritable() }()
	go func() {
		packet, err := tryRead(a.Pipe)
		if err == nil && string(packet) != "to a" {
			err = errors.New(string(packet))
		}
		results <- err
	}()
	awaitWaiting(t, a.Pipe)
	a.settle(nil)
	for range 2 {
		if err := within(t, "the call", func() error { return <-results }); err != nil {
			t.Error(err)
		}
	}
	write(t, a.Pipe, []byte("two"))
	for _, want := range []string{"one", "two"} {
		if got := string(read(t, b)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEndThatIsNoneFailsEveryCall(t *testing.T) {
	a, _ := newUncertain(t)
	write(t, a.Pipe, []byte("one"))
	writable := make(chan error, 1)
	go func() { writable <- a.WaitWritable() }()
	awaitWaiting(t, a.Pipe)
	a.settle(syscall.EPROTO)
	if err := within(t, "WaitWritable", func() error { return <-writable }); err != syscall.EPROTO {
		t.Errorf("WaitWritable: %v, want EPROTO", err)
	}
	expectEPROTO(t, a.Pipe)
}

func expectEPROTO(t *testing.T, p pipe.Pipe) {
	t.Helper()
	_, readErr := tryRead(p) // waits for the verdict
	_, _, _, readNowErr := p.ReadNow(&buffers, nil)
	_, _, identifyErr := p.Identify(proof{uint32(os.Getpid()), 4}.append(nil))
	_, openerErr := p.Opener()
	writableErr := p.WaitWritable()
	if writableErr == nil {
		writableErr = p.Write([]byte("x"), nil)
	}
	for call, err := range map[string]error{
		"Read": readErr, "ReadNow": readNowErr, "writing": writableErr, "Identify": identifyErr, "Opener": openerErr,
	} {
		if err != syscall.EPROTO {
			t.Errorf("%s: %v, want EPROTO", call, err)
		}
	}
}

func TestQuestionsThatAreNotAnsweredHoldUpNobody(t *testing.T) {
	examinationLimit = 50 * time.Millisecond
	defer func() { examinationLimit = 5 * time.Second }()
	a, _ := newUncertain(t)
	within(t, "the calls", func() error { expectEPROTO(t, a.Pipe); return nil })
	if err := within(t, "Close", a.Close); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseDoesNotWaitForAnAnswer(t *testing.T) {
	a, b := newUncertain(t)
	reading := make(chan error, 1)
	go func() { _, err := tryRead(a.Pipe); reading <- err }()
	if err := within(t, "Close", a.Close); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := within(t, "Read", func() error { return <-reading }); err != net.ErrClosed {
		t.Errorf("Read: %v, want net.ErrClosed", err)
	}
	expectClosed(t, a.Pipe)
	a.settle(nil)
	if _, err := tryRead(b); err != io.EOF {
		t.Errorf("the peer's Read: %v, want EOF", err)
	}
}

// What Write has taken arrives, although the end is closed before it was known.
func TestEarlyPacketOutlivesTheWriter(t *testing.T) {
	a, b := newUncertain(t)
	write(t, a.Pipe, []byte("one"))
	a.Close()
	a.settle(nil)
	if got := string(read(t, b)); got != "one" {
		t.Errorf("got %q", got)
	}
	if _, err := tryRead(b); err != io.EOF {
		t.Errorf("then: %v, want EOF", err)
	}
}

// A stranger chose the handle.
func TestHandlesThatAreNoEndsAreRefused(t *testing.T) {
	leaktest.Check(t)
	path := filepath.Join(testenv.TempDir(t), "file")
	for what, open := range map[string]func(t *testing.T) (h windows.Handle, server bool){
		"a file": func(t *testing.T) (windows.Handle, bool) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			name, _ := windows.UTF16PtrFromString(path)
			h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE,
				winfile.ShareAll, nil, windows.OPEN_EXISTING,
				windows.FILE_FLAG_OVERLAPPED, 0)
			return must(t, h, err), true
		},
		"an anonymous pipe": func(t *testing.T) (windows.Handle, bool) {
			var r, w windows.Handle
			err := windows.CreatePipe(&r, &w, nil, 0)
			closeHandles(t, uintptr(w))
			return must(t, r, err), true
		},
		"a pipe for synchronous I/O":   strangersPipe(0, windows.PIPE_TYPE_MESSAGE|windows.PIPE_READMODE_MESSAGE),
		"a pipe of bytes":              strangersPipe(windows.FILE_FLAG_OVERLAPPED, 0),
		"a pipe that is read as bytes": strangersPipe(windows.FILE_FLAG_OVERLAPPED, windows.PIPE_TYPE_MESSAGE),
		"a pipe that does not wait": strangersPipe(windows.FILE_FLAG_OVERLAPPED,
			windows.PIPE_TYPE_MESSAGE|windows.PIPE_READMODE_MESSAGE|windows.PIPE_NOWAIT),
		"the other side": func(t *testing.T) (windows.Handle, bool) {
			a, _ := pair(t)
			h, err := duplicate(a)
			return must(t, h, err), false
		},
	} {
		t.Run(what, func(t *testing.T) {
			h, server := open(t)
			p, err := system.OpenPipe(uintptr(h), server)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "the calls", func() error { expectEPROTO(t, p); return nil })
			if err := within(t, "Close", p.Close); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	for what, h := range map[string]windows.Handle{"an event": testEvent(t), "not open": 0x3FFFFFFC, "nothing": 0} {
		if _, err := system.OpenPipe(uintptr(h), true); err != syscall.EPROTO {
			t.Errorf("%s: %v, want EPROTO", what, err)
		}
	}
}

func must(t *testing.T, h windows.Handle, err error) windows.Handle {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func testEvent(t *testing.T) windows.Handle {
	t.Helper()
	h, err := newEvent()
	return must(t, h, err)
}

// strangersPipe makes the server's end of a pipe that is not as ours are.
func strangersPipe(flags, mode uint32) func(t *testing.T) (windows.Handle, bool) {
	return func(t *testing.T) (windows.Handle, bool) {
		name, err := windows.UTF16PtrFromString(device + strings.ReplaceAll(t.Name(), "/", "-"))
		if err != nil {
			t.Fatal(err)
		}
		h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|flags, mode, 1, quota, quota, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		client, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil,
			windows.OPEN_EXISTING, 0, 0)
		closeHandles(t, uintptr(client))
		must(t, client, err)
		return h, true
	}
}

// On Windows every question about such a handle waits, and so does closing it.
func TestHandleWithSynchronousReadUnderWayHoldsUpNothing(t *testing.T) {
	examinationLimit = time.Second
	defer func() { examinationLimit = 5 * time.Second }()
	var theirs windows.Handle
	reading := make(chan error, 1)
	t.Cleanup(func() { // after that of strangersPipe has closed the client
		within(t, "the read", func() error { <-reading; return nil })
		windows.CloseHandle(theirs)
	})
	h, server := strangersPipe(0, windows.PIPE_TYPE_MESSAGE|windows.PIPE_READMODE_MESSAGE)(t)
	var err error
	if theirs, err = duplicateHandle(h); err != nil {
		t.Fatal(err)
	}
	go func() {
		var b [1]byte
		var n uint32
		reading <- windows.ReadFile(theirs, b[:], &n, nil)
	}()
	runtime.Gosched()
	err = within(t, "OpenPipe and what follows", func() error {
		p, err := system.OpenPipe(uintptr(h), server)
		if err != nil {
			return err
		}
		expectEPROTO(t, p)
		return p.Close()
	})
	if err != nil {
		t.Error(err)
	}
}
