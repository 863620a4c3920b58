package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Rows 1, 2: a passed file is the same open file; its offset goes along and stays shared.
func TestPassedFileSharesItsOffset(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		sent := testenv.TempFile(t, "hello, world")
		io.ReadFull(sent, make([]byte, 7))
		mustWriteMsg(t, a, "x", sent)
		m := mustReadMsg(t, b, "x", 1)
		if k := m.Rights.Kind(0); k != afunix.KindFile {
			t.Errorf("Kind = %v", k)
		}
		got, err := m.Rights.File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if text, err := io.ReadAll(got); string(text) != "world" || err != nil {
			t.Errorf("read %q, %v; want the rest of the file", text, err)
		}
		if offset, err := sent.Seek(0, io.SeekCurrent); offset != 12 || err != nil {
			t.Errorf("offset of the sender's copy = %d, %v; want 12", offset, err)
		}
	})
}

// Row 5.
func TestDescriptorsKeepTheirOrder(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		var files []afunix.Sendable
		for i := range 5 {
			files = append(files, testenv.TempFile(t, strconv.Itoa(i)))
		}
		mustWriteMsg(t, a, "x", files...)
		m := mustReadMsg(t, b, "x", 5)
		for i := range 5 {
			f, err := m.Rights.File(i)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if text, _ := io.ReadAll(f); string(text) != strconv.Itoa(i) {
				t.Errorf("descriptor %d is file %s", i, text)
			}
		}
	})
}

// Row 7.
func TestAtMostMaxRights(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		files := make([]afunix.Sendable, afunix.MaxRights+1)
		for i := range files {
			files[i] = w.W
		}
		if n, err := a.WriteMsg([]byte("many"), files...); n != 0 || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("254 descriptors: %d, %v; want EINVAL", n, err)
		}
		mustWriteMsg(t, a, "full", files[1:]...)
		m := mustReadMsg(t, b, "full", afunix.MaxRights) // nothing of the refused message came
		if err := m.Rights.Close(); err != nil {
			t.Error(err)
		}
		w.ExpectClosed(t)
	})
}

// Row 10.
func TestFileThatIsNotOpenIsNamed(t *testing.T) {
	closed := testenv.TempFile(t, "")
	closed.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	var noFile *os.File
	var noConn *afunix.Conn
	var noListener *afunix.Listener
	bad := map[string]afunix.Sendable{
		"closed file":     closed,
		"closed listener": l.(*net.TCPListener),
		"bad descriptor":  afunix.Descriptor(1<<20 + 4),
		"nil":             nil,
		"nil file":        noFile,
		"nil Conn":        noConn,
		"nil Listener":    noListener,
		"no descriptor":   mute{},
	}
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		for name, f := range bad {
			n, err := a.WriteMsg([]byte("bad"), w.W, f)
			if n != 0 || !errors.Is(err, syscall.EBADF) {
				t.Errorf("%s: %d, %v; want EBADF", name, n, err)
			}
			var which *afunix.RightsError
			if !errors.As(err, &which) || which.Index != 1 {
				t.Errorf("%s: %v does not name descriptor 1", name, err)
			}
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "write" || op.Net != network {
				t.Errorf("%s: %#v is no OpError", name, err)
			}
		}
		mustWriteMsg(t, a, "good")
		mustReadMsg(t, b, "good", 0) // nothing was queued
		w.ExpectClosed(t)            // the valid one is not kept
	})
}

// mute is a Sendable whose Control never shows a descriptor.
type mute struct{}

func (mute) SyscallConn() (syscall.RawConn, error) { return mute{}, nil }
func (mute) Control(func(uintptr)) error           { return nil }
func (mute) Read(func(uintptr) bool) error         { return nil }
func (mute) Write(func(uintptr) bool) error        { return nil }

// stutter is a Sendable whose Control shows its descriptor twice.
type stutter struct{ syscall.RawConn }

func (s stutter) SyscallConn() (syscall.RawConn, error) { return s, nil }
func (s stutter) Control(f func(uintptr)) error {
	return errors.Join(s.RawConn.Control(f), s.RawConn.Control(f))
}

func TestSendableThatShowsItsDescriptorTwiceIsSentOnce(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		raw, err := testenv.TempFile(t, "").SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, a, "one", stutter{raw})
		mustWriteMsg(t, a, "end", stutter{raw})
		mustReadMsg(t, b, "one", 1)
		mustReadMsg(t, b, "end", 1)
	})
}

// Row 15: on a stream the kernel would discard them in silence.
func TestEmptyDataWithFilesIsRefusedOnStreams(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		if n, err := a.WriteMsg(nil, w.W); n != 0 || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("WriteMsg = %d, %v; want EINVAL", n, err)
		}
		w.ExpectClosed(t)
		mustWriteMsg(t, a, "x")
		mustReadMsg(t, b, "x", 0)
	})
}

// Row 18, for Read and ReadFrom.
func TestReadDiscardsDescriptors(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		for name, read := range map[string]func(c *afunix.Conn, b []byte) (int, error){
			"Read":     (*afunix.Conn).Read,
			"ReadFrom": func(c *afunix.Conn, b []byte) (int, error) { n, _, err := c.ReadFrom(b); return n, err },
		} {
			a, b := pair(t, tr, network)
			w := testenv.NewWitness(t)
			mustWriteMsg(t, a, "data", w.W)
			buf := make([]byte, 10)
			if n, err := read(b, buf); string(buf[:n]) != "data" || err != nil {
				t.Errorf("%s = %q, %v", name, buf[:n], err)
			}
			w.ExpectClosed(t)
		}
	})
}

// Row 24.
func TestDescriptorsOfAFailedSendAreReleased(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		b.Close()
		want := syscall.EPIPE
		if network == "unixgram" {
			want = syscall.ECONNREFUSED
		}
		if n, err := a.WriteMsg([]byte("x"), w.W); n != 0 || !errors.Is(err, want) {
			t.Errorf("WriteMsg = %d, %v; want %v", n, err, want)
		}
		w.ExpectClosed(t)
	})
}

// Row 52.
func TestCloseClosesWhatNobodyReceived(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		mustWriteMsg(t, a, "x", w.W)
		b.Close()
		w.ExpectClosed(t)
	})
}

func TestEachDescriptorIsTakenOnce(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "x", testenv.TempFile(t, ""), testenv.TempFile(t, ""))
		r := mustReadMsg(t, b, "x", 2).Rights
		f, err := r.File(0)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := f.Stat(); err != nil {
			t.Error("Close closed a descriptor that was taken:", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for i, want := range map[int]error{-1: syscall.EINVAL, 0: os.ErrClosed, 1: os.ErrClosed, 2: syscall.EINVAL} {
			for name, err := range takeInEveryWay(r, i) {
				var which *afunix.RightsError
				if !errors.Is(err, want) || !errors.As(err, &which) || which.Index != i {
					t.Errorf("%s(%d): %v; want %v", name, i, err, want)
				}
			}
		}
		if r.Kind(2) != afunix.KindOther || (afunix.Rights{}).Len() != 0 || (afunix.Rights{}).Close() != nil {
			t.Error("out of range, or no Rights at all")
		}
	})
}

// takeInEveryWay returns the errors of all the ways to take descriptor i.
func takeInEveryWay(r afunix.Rights, i int) map[string]error {
	_, e1 := r.Descriptor(i)
	_, e2 := r.File(i)
	_, e3 := r.Conn(i)
	_, e4 := r.Listener(i)
	_, e5 := r.PacketConn(i)
	return map[string]error{"Descriptor": e1, "File": e2, "Conn": e3, "Listener": e4, "PacketConn": e5}
}

func TestDescriptorOfAnotherKindStaysInRights(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		mustWriteMsg(t, a, "x", testenv.TempFile(t, "text"), l.(*net.TCPListener))
		r := mustReadMsg(t, b, "x", 2).Rights
		_, connErr := r.Conn(0)
		_, listenerErr := r.Listener(0)
		_, packetErr := r.PacketConn(0)
		for _, err := range []error{connErr, listenerErr, packetErr} {
			if !errors.Is(err, syscall.ENOTSOCK) {
				t.Errorf("a file: %v; want ENOTSOCK", err)
			}
		}
		if _, err := r.Conn(1); !errors.Is(err, syscall.EOPNOTSUPP) || err.Error() != "descriptor 1: listener is not a connection" {
			t.Errorf("a listener as a connection: %v; want EOPNOTSUPP", err)
		}
		f, err := r.File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if text, _ := io.ReadAll(f); string(text) != "text" {
			t.Errorf("the file is %q", text)
		}
	})
}

func TestDroppedRightsAreClosedByTheCollector(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		mustWriteMsg(t, a, "x", w.W)
		w.W.Close()
		if m, err := b.ReadMsg(make([]byte, 10)); err != nil || m.Rights.Len() != 1 {
			t.Fatal(err)
		}
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			w.R.Read(make([]byte, 1))
		}()
		timeout := time.After(patience)
		for {
			runtime.GC()
			select {
			case <-collected:
				return
			case <-timeout:
				t.Fatal("the descriptor is still open")
			case <-time.After(time.Millisecond):
			}
		}
	})
}
