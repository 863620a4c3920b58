package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"time"
)

// A Session is a contender that is set up to do a workload over and over.
type Session struct {
	run   func(n int) error // does it n times
	close func() error
	watch *time.Timer
}

// stuck is how long a Run may take. A Run that hangs for ever should say where.
const stuck = 2 * time.Minute

// Run does the workload n times. If that takes for ever, the program ends with the stacks of all
// goroutines.
func (s *Session) Run(n int) error {
	if s.watch == nil {
		s.watch = time.AfterFunc(stuck, func() {
			debug.SetTraceback("all")
			panic(fmt.Sprintf("no end of a batch after %v", stuck))
		})
	}
	s.watch.Reset(stuck)
	defer s.watch.Stop()
	return s.run(n)
}

// Close ends the session, and reports what went wrong at the other end, if anything did.
func (s *Session) Close() error { return s.close() }

// OneProcess sets up w with both ends in this process. The peer is another goroutine, except that
// descriptors are sent, received and closed by one goroutine in turn.
func OneProcess(c Contender, w Workload) (*Session, error) {
	a, b, err := c.Pair()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return within(a, b, w)
}

// within sets up w between two ends of this process, which it owns.
func within(a, b End, w Workload) (*Session, error) {
	cargo, err := NewCargo(w.Passed)
	if err != nil {
		return nil, errors.Join(err, a.Close(), b.Close())
	}
	buf := NewBuffer()
	if w.Passed > 0 {
		return &Session{
			run:   func(n int) error { return passHere(a, b, n, cargo, buf) },
			close: func() error { return errors.Join(a.Close(), b.Close(), cargo.Close()) },
		}, nil
	}
	served := make(chan error, 1)
	go func() { served <- Serve(b) }()
	return &Session{
		run:   func(n int) error { return w.Drive(a, n, cargo, buf) },
		close: func() error { return errors.Join(a.Close(), <-served, b.Close(), cargo.Close()) },
	}, nil
}

func passHere(a, b End, n int, cargo *Cargo, buf []byte) error {
	for range n {
		if err := a.Pass(buf[:small], cargo); err != nil {
			return err
		}
		if err := receiveOne(b, buf, len(cargo.values)); err != nil {
			return err
		}
	}
	return nil
}

// TwoProcesses sets up w with the peer in another process, which start is to start. That one calls
// [RunPeer]. dir is for files that the contender may need.
func TwoProcesses(c Contender, w Workload, dir string,
	start func(address string) (*exec.Cmd, error)) (*Session, error) {
	e, ended, err := c.meet(dir, start)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	cargo, err := NewCargo(w.Passed)
	if err != nil {
		return nil, errors.Join(err, e.Close(), <-ended)
	}
	buf := NewBuffer()
	return &Session{
		run:   func(n int) error { return w.Drive(e, n, cargo, buf) },
		close: func() error { return errors.Join(e.Close(), <-ended, cargo.Close()) },
	}, nil
}

// meet listens, has the other process started, and accepts its connection. How that process ends
// comes over the channel.
func (c Contender) meet(dir string, start func(address string) (*exec.Cmd, error)) (End, <-chan error, error) {
	l, address, err := c.Listen(dir)
	if err != nil {
		return nil, nil, err
	}
	close := sync.OnceValue(l.Close)
	defer close()
	cmd, err := start(address)
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		close() // if it has ended before it dialled, nobody is left to wait for
	}()
	e, err := l.Accept()
	if err != nil {
		cmd.Process.Kill() // fails if it has ended
		return nil, nil, errors.Join(err, <-ended)
	}
	return e, ended, nil
}

// The environment of a second process says which contender it is to dial, and where.
const (
	peerVariable    = "AFUNIX_BENCH_PEER"
	addressVariable = "AFUNIX_BENCH_ADDRESS"
)

// StartPeer starts this program again, to be the peer of contender c at the address; prefix, if
// any, is the command line that runs it. The program calls RunPeer first of all.
func (c Contender) StartPeer(address string, prefix ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line := append(prefix[:len(prefix):len(prefix)], self)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), peerVariable+"="+c.Name, addressVariable+"="+address)
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

// RunPeer is the main function of a process that StartPeer started; in any other it does nothing.
func RunPeer(stderr io.Writer) {
	name := os.Getenv(peerVariable)
	if name == "" {
		return
	}
	if err := runPeer(name, os.Getenv(addressVariable)); err != nil {
		fmt.Fprintf(stderr, "peer (%s): %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runPeer(name, address string) error {
	c, err := Find(name)
	if err != nil {
		return err
	}
	e, err := c.Dial(address)
	if err != nil {
		return err
	}
	return errors.Join(Serve(e), e.Close())
}
