//go:build linux || windows

package ends

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds every wait that should not last.
const patience = 20 * time.Second

// pair returns a connection's peer, and two references to the connection.
func pair(t *testing.T) (peer *afunix.Conn, first, second *Ref) {
	t.Helper()
	a, b, err := afunix.PipeTransport.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	first = NewConn(b)
	second = first.NewRef()
	t.Cleanup(func() {
		a.Close()
		first.Close()
		second.Close()
	})
	return a, first, second
}

func soon(t *testing.T, what string, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		t.Fatalf("%s takes too long", what)
		return nil
	}
}

// closeSlowly closes r while a call is under way by way of it that does not come back before finish
// is called. When it returns, the end's deadlines are not those that were set.
func closeSlowly(t *testing.T, r *Ref) (closed <-chan error, finish func()) {
	t.Helper()
	begun, finished := make(chan bool), make(chan bool)
	go r.Do(func() error {
		close(begun)
		<-finished
		return nil
	})
	<-begun
	done := make(chan error, 1)
	go func() { done <- r.Close() }()
	read := make(chan error, 1)
	go func() {
		_, err := r.Conn.Read(make([]byte, 1))
		read <- err
	}()
	if err := soon(t, "Close", read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return done, func() { close(finished) }
}

// A call that begins while deadlines are not those that were set does not take that for its own
// deadline.
func TestCallDuringClose(t *testing.T) {
	peer, first, second := pair(t)
	closed, finish := closeSlowly(t, first)
	tries := make(chan bool, 10)
	read := make(chan error, 1)
	go func() {
		read <- second.Do(func() error {
			tries <- true
			_, err := second.Conn.Read(make([]byte, 1))
			return err
		})
	}()
	<-tries // it fails at once, and must not be the last
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	finish()
	if err := soon(t, "Close", closed); err != nil {
		t.Error(err)
	}
	if err := soon(t, "Read", read); err != nil {
		t.Errorf("Read by way of the other reference: %v", err)
	}
}

// So does one that hears of it only when they are those that were set again.
func TestCallAroundClose(t *testing.T) {
	peer, first, second := pair(t)
	closed, finish := closeSlowly(t, first)
	tried := false
	read := make(chan error, 1)
	go func() {
		read <- second.Do(func() error {
			_, err := second.Conn.Read(make([]byte, 1))
			if !tried {
				tried = true
				finish()
				if err := <-closed; err != nil {
					t.Error(err)
				}
			}
			return err
		})
	}()
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "Read", read); err != nil {
		t.Errorf("Read by way of the other reference: %v", err)
	}
}

// Nor does one that begins during a call that is not to wait.
func TestCallDuringOneThatDoesNotWait(t *testing.T) {
	peer, first, second := pair(t)
	tries := make(chan bool, 10)
	read := make(chan error, 1)
	var once sync.Once // it may be called again
	err := first.DoNow(func() error {
		once.Do(func() {
			go func() {
				read <- second.Do(func() error {
					tries <- true
					_, err := second.Conn.Read(make([]byte, 1))
					return err
				})
			}()
			<-tries
		})
		_, err := first.Conn.PeekMsg(make([]byte, 1))
		return err
	})
	if err != syscall.EAGAIN {
		t.Errorf("a call that was not to wait: %v", err)
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "Read", read); err != nil {
		t.Errorf("Read by way of the other reference: %v", err)
	}
}

// Until they are those that were set, nobody changes deadlines: calls by way of the reference that
// is being closed would wait again.
func TestInterruptionLasts(t *testing.T) {
	_, first, second := pair(t)
	closed, finish := closeSlowly(t, first)
	if err := second.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	called := make(chan error, 1)
	go func() { called <- second.DoNow(func() error { return nil }) }()
	select {
	case <-called:
		t.Error("a call that was not to wait has set deadlines of its own")
	case <-time.After(20 * time.Millisecond):
	}
	read := make(chan error, 1)
	go func() {
		_, err := first.Conn.Read(make([]byte, 1))
		read <- err
	}()
	if err := soon(t, "a call that is interrupted", read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	finish()
	if err := soon(t, "Close", closed); err != nil {
		t.Error(err)
	}
	if err := soon(t, "the call that was not to wait", called); err != nil {
		t.Error(err)
	}
}

// A deadline that is set meanwhile is in force afterwards, and one that comes is heard of.
func TestDeadlineDuringClose(t *testing.T) {
	_, first, second := pair(t)
	closed, finish := closeSlowly(t, first)
	if err := second.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := second.Read(make([]byte, 1))
		read <- err
	}()
	finish()
	if err := soon(t, "Close", closed); err != nil {
		t.Error(err)
	}
	if err := soon(t, "Read", read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// A call waits for deadlines to be those that were set, and its reference is closed meanwhile: the
// call is told so, and does not wait for a call of another reference.
func TestCloseDuringClose(t *testing.T) {
	_, first, second := pair(t)
	third := second.NewRef()
	closed, finish := closeSlowly(t, first)
	read := make(chan error, 2)
	tries := make(chan bool, 10)
	go func() {
		read <- second.Do(func() error {
			tries <- true
			_, err := second.Conn.Read(make([]byte, 1))
			return err
		})
	}()
	go func() {
		read <- second.DoNow(func() error {
			_, err := second.Conn.Read(make([]byte, 1))
			return err
		})
	}()
	<-tries
	for range 1000 { // until they wait, most probably; if they do not, they are to notice as well
		_ = second.Readable() // waits for its turn
		runtime.Gosched()
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := soon(t, "a call", read); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	if n := len(tries); n > 0 {
		t.Errorf("it was tried %d times more", n)
	}
	finish()
	if err := soon(t, "Close", closed); err != nil {
		t.Error(err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}

// A call that is not to wait wakes those that do, and they go on.
func TestCallsThatDoNotWait(t *testing.T) {
	peer, first, second := pair(t)
	read := make(chan error, 1)
	go func() {
		_, err := first.Read(make([]byte, 1))
		read <- err
	}()
	for range 5 {
		if _, err := second.Recv(make([]byte, 1), nil, MsgPeek|MsgDontwait); err != syscall.EAGAIN {
			t.Error(err)
		}
	}
	select {
	case err := <-read:
		t.Fatalf("a Read that waits: %v", err)
	default:
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "Read", read); err != nil {
		t.Error(err)
	}
	second.Close()
	if _, err := second.Recv(make([]byte, 1), nil, MsgDontwait); err != net.ErrClosed {
		t.Error(err)
	}
}

// An end whose last reference is a number is closed with it, by whatever closes that.
func TestNumbers(t *testing.T) {
	peer, first, second := pair(t)
	var fds [2]int
	for i := range fds {
		fd, err := first.NewFD()
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	first.Close()
	second.Close()
	if r, ok := Lookup(fds[1]); !ok || r.Last() {
		t.Errorf("Lookup: %v, %v", r, ok)
	}
	if ok, err := Close(fds[0]); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := Close(fds[0]); ok {
		t.Errorf("a closed number is one: %v", err)
	}
	r, ok := Lookup(fds[1])
	if !ok || !r.Last() {
		t.Errorf("Lookup: %v, %v", r, ok)
	}
	if err := os.NewFile(uintptr(fds[1]), "number").Close(); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := peer.Read(make([]byte, 1))
		read <- err
	}()
	if err := soon(t, "the end", read); err == nil {
		t.Error("the end is still open")
	}
	if _, ok := Lookup(fds[1]); ok {
		t.Error("a closed number is one")
	}
}

// What is written to a number as if it were a socket goes there: on streams as bytes, else as a
// message each.
func TestWritesToNumbers(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			a, b, err := afunix.PipeTransport.Pair(network)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if err := a.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			r := NewConn(b)
			fd, err := r.NewFD()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			f := os.NewFile(uintptr(fd), "number")
			defer f.Close()
			want := []string{"one", "two", strings.Repeat("x", atOnce)}
			for _, text := range want {
				if _, err := f.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			if network == "unix" {
				want = []string{strings.Join(want, "")}
			}
			for _, text := range want {
				buf := make([]byte, len(text)+1)
				n := 0
				for n < len(text) {
					m, err := a.Read(buf[n:])
					n += m
					if err != nil {
						t.Fatal(err)
					}
					if network != "unix" {
						break
					}
				}
				if string(buf[:n]) != text {
					t.Errorf("%d bytes came, not those %d that were written", n, len(text))
				}
			}
			if _, err := f.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("Read of a number: %v", err)
			}
		})
	}
}
