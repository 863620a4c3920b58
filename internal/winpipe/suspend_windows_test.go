package winpipe

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

// movedSource is the listener that the second process was handed; sourceDone has what its goroutine
// ended with.
var (
	movedSource pipe.Source
	sourceDone  = make(chan error, 1)
)

// obeySource carries out one command of the parent about movedSource, in the child.
func obeySource(command string, args []string) (string, error) {
	switch command {
	case "open":
		var handles []uintptr
		for _, word := range args[1:] {
			v, _ := strconv.ParseUint(word, 10, 64)
			handles = append(handles, uintptr(v))
		}
		state, _ := hex.DecodeString(args[0])
		l, err := system.OpenSource(handles, state)
		if err != nil {
			return "", err
		}
		movedSource = l
		go func() { sourceDone <- serve(l, "second") }()
		return "open", nil
	case "keep":
		movedSource.SetUnlinkOnClose(false)
		return "kept", nil
	case "close":
		if err := movedSource.Close(); err != nil {
			return "", err
		}
		return fmt.Sprint(<-sourceDone), nil
	}
	return "", fmt.Errorf("unknown command %q", command)
}

// serve answers the first packet of each client with who it is, and that packet.
func serve(l pipe.Source, who string) error {
	for {
		p, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer p.Close()
			if packet, err := tryRead(p); err == nil {
				p.Write([]byte(who), packet)
			}
		}()
	}
}

// pushSource suspends l and hands it to the second process.
func (s *second) pushSource(l *Listener) {
	s.t.Helper()
	handles, state, err := l.Suspend()
	if err != nil {
		s.t.Fatal(err)
	}
	words := []any{"source", "open", hex.EncodeToString(state)}
	for _, h := range handles {
		theirs, err := s.pipe.Push(h)
		if err != nil {
			s.t.Fatal(err)
		}
		words = append(words, theirs)
	}
	s.expect("open", words...)
}

// ask is a client of serve: it returns who has answered.
func ask(address string) (string, error) {
	p, err := system.Dial(context.Background(), address, "", stream)
	if err != nil {
		return "", err
	}
	defer p.Close()
	return question(p)
}

func question(p pipe.Pipe) (string, error) {
	if err := p.Write([]byte(" here"), nil); err != nil {
		return "", err
	}
	answer, err := tryRead(p)
	return string(answer), err
}

func TestListenerGoesOnInAnotherProcessAndNoClientIsTurnedAway(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	t.Run("path", func(t *testing.T) { testListenerMoves(t, path) })
	t.Run("name", func(t *testing.T) { testListenerMoves(t, "@moving"+abstractName(t)) })
}

// The listener moves while it is accepting clients: each of them is answered by one process or the
// other.
func TestListenerMovesWhileItServes(t *testing.T) {
	s := startSecond(t)
	address := "@moving" + abstractName(t)
	l := listen(t, address)
	served := make(chan error, 1)
	go func() { served <- serve(l, "first") }()
	answers, stop := askers(address)
	expect := func(who string) {
		within(t, "answers of the "+who, func() error {
			for range 1000 {
				if got := <-answers; got == who+" here" {
					return nil
				} else if got != "first here" && got != "second here" {
					t.Errorf("a client was told %q", got)
				}
			}
			t.Errorf("no answer of the %s", who)
			return nil
		})
	}
	expect("first")
	s.pushSource(l)
	l.Close()
	if err := within(t, "Accept", func() error { return <-served }); err != net.ErrClosed {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
	expect("second")
	for _, got := range stop() {
		if got != "first here" && got != "second here" {
			t.Errorf("a client was told %q", got)
		}
	}
	s.expect(net.ErrClosed.Error(), "source", "close")
}

// askers dial address, one after the other in each of four goroutines, until stop, which returns
// the last answers.
func askers(address string) (answers chan string, stop func() []string) {
	enough := make(chan struct{})
	answers = make(chan string)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				answer, err := ask(address)
				if err != nil {
					answer = err.Error()
				}
				answers <- answer
			}
		})
	}
	return answers, func() (last []string) {
		close(enough)
		go func() { asking.Wait(); close(answers) }()
		for answer := range answers {
			last = append(last, answer)
		}
		return last
	}
}

func testListenerMoves(t *testing.T, address string) {
	s := startSecond(t)
	l := listen(t, address)
	var early []*Pipe // let in, but not accepted
	for range 3 {
		early = append(early, dial(t, address))
	}
	gone := dial(t, address)
	write(t, gone, []byte("hello and goodbye"))
	gone.Close()

	answers, stop := askers(address)
	s.pushSource(l)
	if _, err := l.Accept(); err != net.ErrClosed {
		t.Errorf("Accept after Suspend: %v, want net.ErrClosed", err)
	}
	if _, _, err := l.Suspend(); err != net.ErrClosed {
		t.Errorf("second Suspend: %v, want net.ErrClosed", err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Errorf("Close after Suspend: %v", err)
	}
	for range 40 { // during and after the move
		within(t, "an answer", func() error {
			if got := <-answers; got != "second here" {
				t.Errorf("a client was told %q", got)
			}
			return nil
		})
	}
	for _, got := range stop() {
		if got != "second here" {
			t.Errorf("a client was told %q", got)
		}
	}
	for _, p := range early {
		var got string
		err := within(t, "the answer", func() (err error) { got, err = question(p); return err })
		if got != "second here" || err != nil {
			t.Errorf("a client that came before was told %q, %v", got, err)
		}
	}
	s.expect(net.ErrClosed.Error(), "source", "close")
	if _, err := os.Stat(address); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the new owner's Close: %v, want no socket file", err)
	}
	listen(t, address) // the name is free again
}

func TestEitherOwnerRemovesTheSocketFileUnlessToldNotTo(t *testing.T) {
	for _, test := range []struct {
		former, keeps bool // who closes first, and whether the file is to stay then
	}{{true, false}, {true, true}, {false, true}} {
		path := filepath.Join(testenv.TempDir(t), "socket")
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			s := startSecond(t)
			l := listen(t, path)
			s.pushSource(l)
			switch {
			case test.former:
				l.SetUnlinkOnClose(!test.keeps)
				l.Close()
			default:
				s.expect("kept", "source", "keep")
				s.expect(net.ErrClosed.Error(), "source", "close")
			}
			if _, err := os.Stat(path); test.keeps != (err == nil) {
				t.Errorf("the socket file after the first Close: %v", err)
			}
			if test.former {
				s.expect(net.ErrClosed.Error(), "source", "close")
			}
		})
	}
}

// A move that fails is undone by opening duplicates in the same process.
func TestSuspendedListenerIsResumedInTheSameProcess(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	for round := range 3 { // each time with what was opened before
		waiting := dial(t, path)
		write(t, waiting, []byte{byte(round)})
		accepting := make(chan error, 1)
		first, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, first); got[0] != byte(round) {
			t.Errorf("round %d: got %v", round, got)
		}
		first.Close()
		go func() { _, err := l.Accept(); accepting <- err }()
		runtime.Gosched()
		handles, state, err := l.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		if err := within(t, "Accept", func() error { return <-accepting }); err != net.ErrClosed {
			t.Errorf("Accept during Suspend: %v, want net.ErrClosed", err)
		}
		meanwhile := dial(t, path)
		next, err := system.OpenSource(duplicateHandles(t, handles), state)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { next.Close() })
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = next.(*Listener)
		write(t, meanwhile, []byte("meanwhile"))
		server := accept(t, l)
		if got := string(read(t, server)); got != "meanwhile" {
			t.Errorf("got %q", got)
		}
		write(t, server, []byte("answer"))
		if got := string(read(t, meanwhile)); got != "answer" {
			t.Errorf("got %q", got)
		}
		if _, ok := server.end.(*foreign); !ok {
			t.Error("an instance that was handed on was given to Go's poller")
		}
		if c, err := server.Opener(); err != nil || c.PID != os.Getpid() {
			t.Errorf("Opener: %+v, %v", c, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the last Close: %v, want no socket file", err)
	}
}

func TestASuspendedListenerResumes(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	for range 3 {
		if _, _, err := l.Suspend(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); err != net.ErrClosed {
			t.Errorf("Accept of a suspended listener: %v, want net.ErrClosed", err)
		}
		meanwhile := dial(t, path)
		l.Resume()
		write(t, meanwhile, []byte("meanwhile"))
		server := accept(t, l)
		if got := string(read(t, server)); got != "meanwhile" {
			t.Errorf("got %q", got)
		}
	}
	if _, _, err := l.Suspend(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Resume()
	if _, err := l.Accept(); err != net.ErrClosed {
		t.Errorf("Accept of a closed listener: %v, want net.ErrClosed", err)
	}
}

func duplicateHandles(t *testing.T, handles []uintptr) (copies []uintptr) {
	t.Helper()
	for _, h := range handles {
		h, err := duplicateHandle(windows.Handle(h))
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, uintptr(h))
	}
	return copies
}

func TestListenerThatCannotBeDescribedIsNotSuspended(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	l.sddl = strings.Repeat("x", pipe.MaxSourceState)
	if _, _, err := l.Suspend(); err != syscall.EMSGSIZE {
		t.Errorf("Suspend: %v, want EMSGSIZE", err)
	}
	dial(t, address)
	accept(t, l)
	l.Close()
	if _, _, err := l.Suspend(); err != net.ErrClosed {
		t.Errorf("Suspend after Close: %v, want net.ErrClosed", err)
	}
}

// A stranger chose handles and state.
func TestHandlesThatAreNoListenersAreRefused(t *testing.T) {
	leaktest.Check(t)
	handles, state := suspended(t, "-mine")
	others, _ := suspended(t, "-other")
	parsed, err := parseState(state)
	if err != nil {
		t.Fatal(err)
	}
	parsed.sddl = "nonsense"
	client := func(t *testing.T) uintptr {
		_, b := pair(t)
		h, err := duplicate(b)
		return uintptr(must(t, h, err))
	}
	event := func(t *testing.T) uintptr { return uintptr(testEvent(t)) }
	for _, test := range []struct {
		what    string
		handles []uintptr
		own     func(t *testing.T) uintptr // one more
		state   []byte
		late    bool // Accept says so
	}{
		{"no handles", nil, nil, state, false},
		{"no state", handles, nil, nil, false},
		{"half a state", handles, nil, state[:len(state)-1], false},
		{"a descriptor that is none", handles, nil, parsed.append(nil), false},
		{"too many handles", handles, client, state, false},
		{"an event", handles[:1], event, state, false},
		{"another listener's sentinel", append(others[:1:1], handles[1:]...), nil, state, true},
		{"another listener's instance", append(handles[:1:1], others[1]), nil, state, true},
		{"no sentinel", handles[1:], nil, state, true},
		{"a sentinel as instance", append(handles[:1:1], handles[0]), nil, state, true},
		{"a client's end", handles[:1], client, state, true},
	} {
		t.Run(test.what, func(t *testing.T) {
			chosen := duplicateHandles(t, test.handles)
			if test.own != nil {
				chosen = append(chosen, test.own(t))
			}
			l, err := system.OpenSource(chosen, test.state)
			if !test.late {
				if err != syscall.EPROTO {
					t.Fatalf("OpenSource: %v, want EPROTO", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := within(t, "Accept", func() error { _, err := l.Accept(); return err }); err != syscall.EPROTO {
					t.Errorf("Accept: %v, want EPROTO", err)
				}
			}
			if _, _, err := l.Suspend(); err != syscall.EPROTO {
				t.Errorf("Suspend: %v, want EPROTO", err)
			}
			if err := within(t, "Close", l.Close); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := l.Accept(); err != net.ErrClosed {
				t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
			}
		})
	}
}

// suspended returns what a listener of its own is handed on with.
func suspended(t *testing.T, suffix string) (handles []uintptr, state []byte) {
	t.Helper()
	handles, state, err := listen(t, abstractName(t)+suffix).Suspend()
	if err != nil {
		t.Fatal(err)
	}
	return handles, state
}
