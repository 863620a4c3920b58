package winpipe

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
)

// movedEnd is the end that the second process was handed.
var movedEnd pipe.Pipe

// obeyEnd carries out one command of the parent at movedEnd, in the child.
func obeyEnd(command string, args []string) (string, error) {
	arg := func(i int) uintptr { v, _ := strconv.ParseUint(args[i], 10, 64); return uintptr(v) }
	bytes := func(i int) []byte { b, _ := hex.DecodeString(args[i]); return b }
	switch command {
	case "open":
		p, err := system.OpenPipe(arg(0), args[1] == "server")
		movedEnd = p
		return "open", err
	case "read":
		packet, err := tryRead(movedEnd)
		return string(packet), err
	case "write":
		return "written", movedEnd.Write([]byte(args[0]), nil)
	case "interrupt": // what is in the pipe, if anything, and then the end of it
		movedEnd.Interrupt()
		defer movedEnd.Resume()
		_, err := tryRead(movedEnd)
		return "", err
	case "deadline":
		start := time.Now()
		const limit = 50 * time.Millisecond
		timer := time.AfterFunc(limit, movedEnd.Interrupt)
		defer timer.Stop()
		defer movedEnd.Resume()
		_, err := tryRead(movedEnd)
		if waited := time.Since(start); waited < limit {
			return "", fmt.Errorf("%v after %v", err, waited)
		}
		return "", err
	case "proof":
		b, err := movedEnd.Proof()
		return hex.EncodeToString(b), err
	case "identify":
		c, a, err := movedEnd.Identify(bytes(0))
		return fmt.Sprint(c.PID, a), err
	case "answer":
		return "answered", movedEnd.Answer()
	case "confirmed":
		return fmt.Sprint(movedEnd.Confirmed()), nil
	case "opener":
		c, err := movedEnd.Opener()
		return fmt.Sprint(c.PID, c.SID), err
	case "handle":
		h, err := duplicate(movedEnd)
		return fmt.Sprint(uintptr(h)), err
	case "close":
		return "closed", movedEnd.Close()
	}
	return "", fmt.Errorf("unknown command %q", command)
}

// pushEnd hands p's end to the second process.
func (s *second) pushEnd(p *Pipe) {
	s.t.Helper()
	side := "client"
	if p.origin.server {
		side = "server"
	}
	var theirs uint64
	var err error
	controlErr := p.SyscallConn().Control(func(fd uintptr) { theirs, err = s.pipe.Push(fd) })
	if err != nil || controlErr != nil {
		s.t.Fatal(err, controlErr)
	}
	s.expect("open", "end", "open", theirs, side)
}

// eachEnd runs test with each end of a pair as the one that moves; the reader of either has been
// waiting, as Go's poller does it.
func eachEnd(t *testing.T, test func(t *testing.T, s *second, moving, staying *Pipe)) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			s := startSecond(t)
			moving, staying := pair(t)
			if side == "client" {
				moving, staying = staying, moving
			}
			for _, ends := range [][2]*Pipe{{moving, staying}, {staying, moving}} {
				waiting := make(chan error, 1)
				go func() { _, err := tryRead(ends[0]); waiting <- err }()
				runtime.Gosched()
				write(t, ends[1], []byte("before"))
				if err := within(t, "Read", func() error { return <-waiting }); err != nil {
					t.Fatal(err)
				}
			}
			interruptReader(t, moving)
			test(t, s, moving, staying)
		})
	}
}

// interruptReader ends a read that waits, as is done before an end is handed on.
func interruptReader(t *testing.T, p *Pipe) {
	t.Helper()
	waiting := make(chan error, 1)
	go func() { _, err := tryRead(p); waiting <- err }()
	runtime.Gosched()
	p.Interrupt()
	if err := within(t, "Read", func() error { return <-waiting }); err != os.ErrDeadlineExceeded {
		t.Fatalf("interrupted Read: %v", err)
	}
}

func TestEndGoesOnInAnotherProcess(t *testing.T) {
	eachEnd(t, func(t *testing.T, s *second, moving, staying *Pipe) {
		write(t, staying, []byte("on-the-way")) // is in the pipe when the end moves
		write(t, moving, []byte("first"))
		s.pushEnd(moving)
		s.expect("on-the-way", "end", "read")
		s.expect("written", "end", "write", "second")
		moving.Close()
		s.expect("written", "end", "write", "third")
		for _, want := range []string{"first", "second", "third"} {
			if got := string(read(t, staying)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		// The other process reads before there is anything, many times: what ends there must never
		// be posted here.
		for i := range 100 {
			answer := make(chan string, 1)
			go func() { answer <- s.do("end", "read") }()
			runtime.Gosched()
			want := strconv.Itoa(i)
			write(t, staying, []byte(want))
			within(t, "the other process", func() error {
				if got := <-answer; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				return nil
			})
		}
		s.expect("error: "+os.ErrDeadlineExceeded.Error(), "end", "interrupt")
		s.expect("error: "+os.ErrDeadlineExceeded.Error(), "end", "deadline")
		write(t, staying, []byte("last"))
		s.expect("last", "end", "read")
		s.expect("written", "end", "write", "goodbye")
		s.expect("closed", "end", "close")
		if got := string(read(t, staying)); got != "goodbye" {
			t.Errorf("got %q", got)
		}
		if _, err := tryRead(staying); err != io.EOF {
			t.Errorf("Read after the new owner closed: %v, want EOF", err)
		}
	})
}

// The writer's last packet pends when the end moves, because the pipe is full.
func TestPendingPacketComesBeforeThoseOfTheNewOwner(t *testing.T) {
	eachEnd(t, func(t *testing.T, s *second, moving, staying *Pipe) {
		n := fill(t, moving)
		s.pushEnd(moving)
		moving.Close()
		s.expect("written", "end", "write", "after")
		expectPackets(t, staying, n)
		if got := string(read(t, staying)); got != "after" {
			t.Errorf("got %q", got)
		}
		s.expect("closed", "end", "close")
	})
}

func TestPeerOfAMovedEndIsItsNewOwner(t *testing.T) {
	eachEnd(t, func(t *testing.T, s *second, moving, staying *Pipe) {
		if !staying.origin.server { // Windows knows a client from its first packet on, and eachEnd has written one
			s.expectOpener(staying, os.Getpid())
		}
		before, err := moving.Proof()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := staying.Identify(before); err != nil {
			t.Fatal(err)
		}
		if err := moving.Answer(); err != nil {
			t.Fatal(err)
		}
		s.pushEnd(moving)
		moving.Close()

		s.expectIdentified(staying, s.cmd.Process.Pid)
		ours, err := staying.Proof()
		if err != nil {
			t.Fatal(err)
		}
		all := pipe.CanPull | pipe.CanPush | pipe.Trusts
		s.expect(fmt.Sprint(os.Getpid(), all), "end", "identify", hex.EncodeToString(ours))
		s.expect("false", "end", "confirmed")
		if err := staying.Answer(); err != nil {
			t.Fatal(err)
		}
		s.expect("true", "end", "confirmed")
		// Whichever process has the ends now, they were made by this process.
		s.expect(fmt.Sprint(os.Getpid(), user()), "end", "opener")
		s.expectOpener(staying, os.Getpid())

		// … and back again.
		v, err := staying.Pull(uint64(s.value("end", "handle")))
		if err != nil {
			t.Fatal(err)
		}
		back, err := system.OpenPipe(uintptr(v), !staying.origin.server)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		s.expect("closed", "end", "close")
		write(t, back, []byte("back"))
		if got := string(read(t, staying)); got != "back" {
			t.Errorf("got %q", got)
		}
		proof, err := back.Proof()
		if err != nil {
			t.Fatal(err)
		}
		if c, _, err := staying.Identify(proof); err != nil || c.PID != os.Getpid() {
			t.Errorf("after the way back: %+v, %v", c, err)
		}
		if staying.Confirmed() {
			t.Error("confirmed by a former answer")
		}
		if err := back.Answer(); err != nil {
			t.Fatal(err)
		}
		if !staying.Confirmed() {
			t.Error("not confirmed after the answer")
		}
	})
}

// expectIdentified has the second process prove itself at p.
func (s *second) expectIdentified(p *Pipe, pid int) {
	s.t.Helper()
	proof, err := hex.DecodeString(s.do("end", "proof"))
	if err != nil {
		s.t.Fatal(err)
	}
	c, a, err := p.Identify(proof)
	want := cred.Credentials{PID: pid, UID: -1, GID: -1, SID: user()}
	if all := pipe.CanPull | pipe.CanPush | pipe.Trusts; c != want || a != all || err != nil {
		s.t.Errorf("the new owner: %+v, %03b, %v, want %+v, %03b", c, a, err, want, all)
	}
	if p.Confirmed() {
		s.t.Error("confirmed before the new owner's answer")
	}
	s.expect("answered", "end", "answer")
	if !p.Confirmed() {
		s.t.Error("not confirmed after the new owner's answer")
	}
}

func (s *second) expectOpener(p *Pipe, pid int) {
	s.t.Helper()
	want := cred.Credentials{PID: pid, UID: -1, GID: -1, SID: user()}
	if c, err := p.Opener(); c != want || err != nil {
		s.t.Errorf("Opener: %+v, %v, want %+v", c, err, want)
	}
}

// Both ends are somewhere else than where they were made: one here, but opened, the other in the
// second process.
func TestBothEndsMoved(t *testing.T) {
	eachEnd(t, func(t *testing.T, s *second, moving, staying *Pipe) {
		interruptReader(t, staying)
		stayed, err := handOn(staying)
		if err != nil {
			t.Fatal(err)
		}
		defer stayed.Close()
		s.pushEnd(moving)
		moving.Close()
		s.expect("written", "end", "write", "to-us")
		if got := string(read(t, stayed)); got != "to-us" {
			t.Errorf("got %q", got)
		}
		s.expectIdentified(stayed, s.cmd.Process.Pid)
		s.expect("closed", "end", "close")
	})
}

// The number of the process that opened the other end may be used again, by a stranger or by a
// process that was handed the end.
func TestNumberThatWasUsedAgain(t *testing.T) {
	s := startSecond(t)
	pid := uint32(s.cmd.Process.Pid)
	self, err := selfSubject()
	if err != nil {
		t.Fatal(err)
	}
	beforeItsBirth := windows.NsecToFiletime(time.Now().Add(-time.Hour).UnixNano())
	known := witness{
		origin:  origin{server: true, pid: pid, since: beforeItsBirth},
		subject: self,
		ceiling: self.integrity,
	}
	event := uint32(s.value("event"))
	heir, err := identify(proof{pid, event}, known)
	if err != nil || heir.peer.pid != pid || !heir.peer.duplicates || heir.pid != pid || heir.who != self {
		t.Errorf("a process that proves itself: %+v, %v", heir, err)
	}
	heir.peer.close()
	gone, err := identify(proof{pid, 0x3FFFFFFC}, known)
	if err != nil || gone != (identity{pid: pid, who: self}) {
		t.Errorf("a process that does not: %+v, %v", gone, err)
	}
}
