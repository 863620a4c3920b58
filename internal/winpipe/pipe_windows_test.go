package winpipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
)

// system is what is tested.
var system System

var buffers = sync.Pool{New: func() any { return new(pipe.Buffer) }}

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// newPair is what pair calls: see TestEndsThatWereHandedOnDoTheSame.
var newPair = system.Pair

// newInstance makes an instance of the pipe of an id, which close closes.
func newInstance(id pipeID, attributes *windows.SecurityAttributes, first bool) (*entrance, error) {
	e, err := newEntrance(id.pipeName(), messageMode, quota, attributes, 0)
	if err != nil {
		return nil, err
	}
	if err = e.add(first); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func pair(t *testing.T) (a, b *Pipe) {
	t.Helper()
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(*Pipe), y.(*Pipe)
}

func write(t *testing.T, p pipe.Pipe, packet []byte) {
	t.Helper()
	if err := p.Write(packet, nil); err != nil {
		t.Fatalf("Write of %d bytes: %v", len(packet), err)
	}
}

// read returns the next packet.
func read(t *testing.T, p pipe.Pipe) []byte {
	t.Helper()
	packet, err := tryRead(p)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return packet
}

func tryRead(p pipe.Pipe) ([]byte, error) {
	buf, n, _, err := p.Read(&buffers, nil)
	if err != nil {
		return nil, err
	}
	defer buffers.Put(buf)
	return bytes.Clone(buf[:n]), nil
}

// within fails the test if f takes too long, which is how a hang is told.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s did not return", what)
		return nil
	}
}

func TestPacketsOfEverySizeArriveWholeInBothDirections(t *testing.T) {
	a, b := pair(t)
	for _, ends := range [][2]*Pipe{{a, b}, {b, a}} {
		for _, n := range []int{1, 2, 4096, pipe.MaxPacket - 1, pipe.MaxPacket} {
			packet := bytes.Repeat([]byte{byte(n)}, n)
			write(t, ends[0], packet)
			if got := read(t, ends[1]); !bytes.Equal(got, packet) {
				t.Errorf("%d bytes came as %d", n, len(got))
			}
		}
	}
}

func TestHeadAndBodyAreOnePacket(t *testing.T) {
	a, b := pair(t)
	if err := a.Write([]byte("head,"), []byte("body")); err != nil {
		t.Fatal(err)
	}
	write(t, a, []byte("next"))
	if got := string(read(t, b)); got != "head,body" {
		t.Errorf("got %q", got)
	}
}

func TestPacketsThatAreNoneAreRefused(t *testing.T) {
	a, _ := pair(t)
	if err := a.Write(nil, nil); err != syscall.EINVAL {
		t.Errorf("empty packet: %v, want EINVAL", err)
	}
	if err := a.Write(make([]byte, 16), make([]byte, pipe.MaxPacket-15)); err != syscall.EMSGSIZE {
		t.Errorf("a packet that is too large: %v, want EMSGSIZE", err)
	}
}

// A peer that is not ours may write what it likes.
func TestPacketThatIsTooLargeIsEMSGSIZE(t *testing.T) {
	for _, n := range []int{pipe.MaxPacket + 1, pipe.MaxPacket + 2, 200000} {
		a, b := pair(t)
		writeRaw(t, a, make([]byte, n))
		if _, err := tryRead(b); err != syscall.EMSGSIZE {
			t.Errorf("message of %d bytes: %v, want EMSGSIZE", n, err)
		}
	}
}

// writeRaw writes a message past Write's checks.
func writeRaw(t *testing.T, p *Pipe, message []byte) {
	t.Helper()
	event, err := newEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(event)
	overlapped := &windows.Overlapped{HEvent: event | 1}
	var n uint32
	controlErr := p.SyscallConn().Control(func(fd uintptr) {
		err = windows.WriteFile(windows.Handle(fd), message, nil, overlapped)
		if err == nil || err == windows.ERROR_IO_PENDING {
			err = windows.GetOverlappedResult(windows.Handle(fd), overlapped, &n, true)
		}
	})
	if err != nil || controlErr != nil {
		t.Fatal(err, controlErr)
	}
}

// fill writes packets until the pipe is full, and returns how many went in.
func fill(t *testing.T, p *Pipe) int {
	t.Helper()
	packet := make([]byte, pipe.MaxPacket)
	for n := 0; n < 10*quota/pipe.MaxPacket; n++ {
		packet[0] = byte(n)
		switch err := p.Write(packet, nil); err {
		case nil:
		case syscall.EAGAIN:
			return n
		default:
			t.Fatal(err)
		}
	}
	t.Fatal("the pipe is never full")
	return 0
}

// expectPackets reads what fill wrote.
func expectPackets(t *testing.T, p *Pipe, n int) {
	t.Helper()
	for i := range n {
		if got := read(t, p); len(got) != pipe.MaxPacket || got[0] != byte(i) {
			t.Fatalf("packet %d: %d bytes, number %d", i, len(got), got[0])
		}
	}
}

func TestFullPipeIsEAGAINUntilThePeerReads(t *testing.T) {
	a, b := pair(t)
	n := fill(t, a)
	if n < quota/pipe.MaxPacket {
		t.Errorf("full after %d packets; the quota should take %d", n, quota/pipe.MaxPacket)
	}
	if err := a.Write([]byte("x"), nil); err != syscall.EAGAIN {
		t.Errorf("Write into a full pipe: %v, want EAGAIN", err)
	}
	writable := make(chan error, 1)
	go func() { writable <- a.WaitWritable() }()
	expectPackets(t, b, n)
	if err := within(t, "WaitWritable", func() error { return <-writable }); err != nil {
		t.Fatalf("WaitWritable: %v", err)
	}
	write(t, a, []byte("again"))
	if got := string(read(t, b)); got != "again" {
		t.Errorf("got %q", got)
	}
	if err := a.WaitWritable(); err != nil {
		t.Errorf("WaitWritable on a pipe with room: %v", err)
	}
}

func TestFullPipeWhosePeerClosesIsEPIPE(t *testing.T) {
	a, b := pair(t)
	fill(t, a)
	writable := make(chan error, 1)
	go func() { writable <- a.WaitWritable() }()
	b.Close()
	if err := within(t, "WaitWritable", func() error { return <-writable }); err != syscall.EPIPE {
		t.Errorf("WaitWritable: %v, want EPIPE", err)
	}
	if err := a.Write([]byte("x"), nil); err != syscall.EPIPE {
		t.Errorf("Write: %v, want EPIPE", err)
	}
}

func TestWhatWasWrittenOutlivesTheWriter(t *testing.T) {
	a, b := pair(t)
	write(t, a, []byte("one"))
	write(t, a, []byte("two"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if got := string(read(t, b)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, err := tryRead(b); err != io.EOF {
		t.Errorf("Read at the end: %v, want EOF", err)
	}
	if err := b.Write([]byte("x"), nil); err != syscall.EPIPE {
		t.Errorf("Write after the peer closed: %v, want EPIPE", err)
	}
}

func TestPendingPacketOutlivesTheWriter(t *testing.T) {
	a, b := pair(t)
	n := fill(t, a)
	if err := within(t, "Close", a.Close); err != nil {
		t.Fatal(err)
	}
	expectPackets(t, b, n)
	if _, err := tryRead(b); err != io.EOF {
		t.Errorf("Read at the end: %v, want EOF", err)
	}
}

// Once an end has been hung up, with its last packet in the pipe or given up, the other one is not
// connected, and can write nothing more.
func TestHangupIsOverWhenItReturns(t *testing.T) {
	for _, full := range []bool{false, true} {
		a, b := pair(t)
		a.linger = 50 * time.Millisecond
		if !a.Connected() || !b.Connected() {
			t.Error("an open pipe is not connected")
		}
		write(t, a, []byte("x"))
		if full {
			fill(t, a)
			if !a.Connected() || !b.Connected() {
				t.Error("a full pipe is not connected")
			}
		}
		if err := within(t, "Hangup", a.Hangup); err != nil {
			t.Errorf("full %t: %v", full, err)
		}
		if a.Connected() || b.Connected() {
			t.Errorf("full %t: a pipe is connected that was hung up, and has something to be read", full)
		}
		if err := b.Write([]byte("x"), nil); err != syscall.EPIPE {
			t.Errorf("full %t: write to a peer that has hung up: %v, want EPIPE", full, err)
		}
		if got := read(t, b); string(got) != "x" {
			t.Errorf("full %t: got %q", full, got)
		}
		if err := a.Hangup(); err != net.ErrClosed {
			t.Errorf("full %t: second hangup: %v", full, err)
		}
	}
}

// The bound is what keeps a process from collecting the ends that a stopped peer never reads.
func TestPendingPacketIsGivenUpInTheEnd(t *testing.T) {
	a, b := pair(t)
	a.linger = time.Millisecond
	fill(t, a)
	a.Close()
	err := within(t, "Read", func() error { // the last packet is gone, or not: both are right; the end must come
		for {
			if _, err := tryRead(b); err != nil {
				return err
			}
		}
	})
	if err != io.EOF {
		t.Errorf("Read at the end: %v, want EOF", err)
	}
}

func TestCloseWakesReaderAndWriter(t *testing.T) {
	a, _ := pair(t)
	fill(t, a)
	results := make(chan error, 2)
	go func() {
		_, err := tryRead(a)
		results <- err
	}()
	go func() { results <- a.WaitWritable() }()
	awaitWaiting(t, a)
	a.Close()
	for range 2 {
		if err := within(t, "the call", func() error { return <-results }); err != net.ErrClosed {
			t.Errorf("a call during Close: %v, want net.ErrClosed", err)
		}
	}
	expectClosed(t, a)
}

// awaitWaiting returns when somebody is in WaitWritable.
func awaitWaiting(t *testing.T, p *Pipe) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); runtime.Gosched() {
		p.writer.mu.Lock()
		waiting := p.writer.stop != 0
		p.writer.mu.Unlock()
		if waiting {
			return
		}
	}
	t.Fatal("nobody waits")
}

func TestEveryCallAfterCloseSaysSo(t *testing.T) {
	a, _ := pair(t)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	expectClosed(t, a)
}

func expectClosed(t *testing.T, p *Pipe) {
	t.Helper()
	_, readErr := tryRead(p)
	_, proofErr := p.Proof()
	_, pullErr := p.Pull(4)
	_, _, identifyErr := p.Identify(proof{uint32(os.Getpid()), 4}.append(nil))
	_, openerErr := p.Opener()
	_, _, _, readNowErr := p.ReadNow(&buffers, nil)
	controlErr := p.SyscallConn().Control(func(uintptr) { t.Error("there is a handle after Close") })
	for call, err := range map[string]error{
		"Read": readErr, "Write": p.Write([]byte("x"), nil), "WaitWritable": p.WaitWritable(), "Close": p.Close(),
		"Proof": proofErr, "Pull": pullErr, "Identify": identifyErr, "Answer": p.Answer(),
		"Opener": openerErr, "ReadNow": readNowErr, "Control": controlErr,
	} {
		if err != net.ErrClosed {
			t.Errorf("%s after Close: %v, want net.ErrClosed", call, err)
		}
	}
	if p.Confirmed() {
		t.Error("Confirmed after Close")
	}
	p.Interrupt() // harmless
}

func TestReadingAndWritingAllocateNothing(t *testing.T) {
	a, b := pair(t)
	head, body := make([]byte, 16), make([]byte, 64)
	allocations := testing.AllocsPerRun(200, func() {
		if err := a.Write(head, body); err != nil {
			t.Fatal(err)
		}
		buf, _, _, err := b.Read(&buffers, nil)
		if err != nil {
			t.Fatal(err)
		}
		buffers.Put(buf)
		a.Write(head, body)
		if buf, _, _, err = b.ReadNow(&buffers, nil); err != nil {
			t.Fatal(err)
		}
		buffers.Put(buf)
	})
	if allocations != 0 {
		t.Errorf("%v allocations per packet, want 0", allocations)
	}
}

// FIRST_PIPE_INSTANCE: nobody can join a pipe that exists. Wine does not enforce it.
func TestNameOfAPipeCannotBeTakenTwice(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: FILE_FLAG_FIRST_PIPE_INSTANCE is not enforced")
	}
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	first, err := newInstance(exampleID, attributes, true)
	if err != nil {
		t.Fatal(err)
	}
	defer first.close()
	if second, err := newInstance(exampleID, attributes, true); err != syscall.EACCES {
		if err == nil {
			second.close()
		}
		t.Errorf("second first instance: %v, want EACCES", err)
	}
}

func TestPipeBelongsToTheUser(t *testing.T) {
	a, _ := pair(t)
	err := a.SyscallConn().Control(func(fd uintptr) {
		descriptor, err := windows.GetSecurityInfo(windows.Handle(fd), windows.SE_KERNEL_OBJECT,
			windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		if owner, _, err := descriptor.Owner(); err != nil || owner.String() != user() {
			t.Errorf("owner %v (%v), want %v", owner, err, user())
		}
		if acl, _, err := descriptor.DACL(); err != nil || acl.AceCount != 2 {
			t.Errorf("DACL %v (%v), want two entries: the user and SYSTEM", descriptor, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The client of an elevated server may not look at its token; the label on the pipe is what it goes
// by.
func TestPipeShowsTheIntegrityOfItsCreator(t *testing.T) {
	self, err := selfSubject()
	if err != nil {
		t.Fatal(err)
	}
	want := min(self.integrity, integrityHigh) // System's is above high, and is not shown
	a, _ := pair(t)
	err = a.SyscallConn().Control(func(fd uintptr) {
		if got := pipeIntegrity(windows.Handle(fd)); got != want {
			t.Errorf("the pipe shows integrity %#x, this process has %#x", got, self.integrity)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsOfTheSystemAreThoseOfLinux(t *testing.T) {
	for _, test := range []struct{ windows, linux error }{
		{windows.ERROR_BROKEN_PIPE, syscall.EPIPE}, {windows.ERROR_NO_DATA, syscall.EPIPE},
		{windows.ERROR_ACCESS_DENIED, syscall.EACCES}, {windows.ERROR_INVALID_HANDLE, syscall.EBADF},
		{windows.ERROR_TOO_MANY_OPEN_FILES, syscall.EMFILE}, {windows.WSAEMFILE, syscall.EMFILE}, {nil, nil},
	} {
		if got := errno(test.windows); !errors.Is(got, test.linux) {
			t.Errorf("errno(%v) = %v, want %v", test.windows, got, test.linux)
		}
	}
}

// The end of a client that has bound an abstract name gives that up when it is closed, in whatever
// way.
func TestAnEndGivesUpItsName(t *testing.T) {
	l := listen(t, abstractName(t))
	for how, end := range map[string]func(pipe.Pipe) error{"Close": pipe.Pipe.Close, "Hangup": pipe.Pipe.Hangup} {
		local := abstractName(t) + how
		p, err := system.Dial(t.Context(), abstractName(t), local, stream)
		if err != nil {
			t.Fatal(err)
		}
		defer accept(t, l).Close()
		if _, err := system.Bind(local, stream); err != syscall.EADDRINUSE {
			t.Errorf("before %s: %v, want EADDRINUSE", how, err)
		}
		if err := end(p); err != nil {
			t.Fatal(err)
		}
		free, err := system.Bind(local, stream)
		if err != nil {
			t.Errorf("after %s: %v", how, err)
			continue
		}
		free.Close()
	}
}
