package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/winpipe"
)

// On Windows a step is where the engine begins or ends an operation on its message pipe, or on the
// other process. Nobody can stop a victim there from outside, so it terminates itself. For that its
// end is made here of a pipe that counts, and not by the public API.

// stepStatus is the exit status of a victim that was killed at its step.
const stepStatus = 77

// A trace is what is known of a victim's steps. There is nothing to be done from outside.
type trace struct {
	at     int // the step; 0: it is not killed
	steps  int // the victim says how many there were
	killed bool
}

// by is a starter.
func (t *trace) by(cmd *exec.Cmd) (wait func() error, err error) {
	return func() error {
		err := cmd.Wait()
		if t.killed = cmd.ProcessState.ExitCode() == stepStatus; t.killed {
			return nil
		}
		return err
	}, cmd.Start()
}

// stepsLine is how a victim that has not been killed says how many steps there were.
const stepsLine = "steps"

func endSteps(h *household, e errand) error {
	if !e.Stepped {
		return nil
	}
	return h.say("%s %d", stepsLine, steps.Load())
}

func beginSteps(errand) error { return nil }

// canStep reports whether a victim can be made of a pipe. Datagram sockets have many; they are
// killed at a moment.
func canStep(v variant) bool { return v.network != "unixgram" }

// pushes reports whether a victim may have pushed descriptors here before it died, or exported a
// socket. Between equals the server duplicates. The process that has a socket exports it.
func pushes(v variant) bool { return v.flow != receives }

// manyFiles is how many files there are beside some messages.
const manyFiles = 20

// manyMessages is how many a victim sends and receives that is killed at a moment.
const manyMessages = 40

var (
	steps  atomic.Int64
	dieAt  int64
	theEnd sync.Once
)

// step counts, and ends this process at its last.
func step() {
	if steps.Add(1) == dieAt {
		theEnd.Do(func() { windows.TerminateProcess(windows.CurrentProcess(), stepStatus) })
		<-time.After(2 * patience) // termination is on its way
	}
}

// open connects a victim.
func (e errand) open(h *household, g *goods) (victimEnd, error) {
	if !e.Stepped {
		return e.openOverAPI(h, g)
	}
	dieAt = int64(e.Step)
	types := map[string]sock.Type{"unix": sock.Stream, "unixpacket": sock.Seqpacket}
	cfg := endpoint.Config{Type: types[e.Network], Local: e.Path}
	if e.Dials {
		return e.dialStepped(cfg, g)
	}
	return e.acceptStepped(cfg, h, g)
}

func (e errand) dialStepped(cfg endpoint.Config, g *goods) (victimEnd, error) {
	cfg.Local = ""
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	step()
	p, err := winpipe.System{}.Dial(ctx, e.Path, "", cfg.Type)
	step()
	if err != nil {
		return nil, err
	}
	c, err := endpoint.Dial(ctx, &steppedPipe{Pipe: p}, cfg)
	if err != nil {
		return nil, err
	}
	return steppedEnd{c, g}, c.SetDeadline(time.Now().Add(patience))
}

func (e errand) acceptStepped(cfg endpoint.Config, h *household, g *goods) (victimEnd, error) {
	step()
	source, err := winpipe.System{}.Listen(e.Path, cfg.Type, pipe.Options{})
	step()
	if err != nil {
		return nil, err
	}
	l := endpoint.Listen(steppedSource{source}, cfg, 0)
	defer l.Close()
	if err := errors.Join(l.SetDeadline(time.Now().Add(patience)), h.say(listening)); err != nil {
		return nil, err
	}
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	return steppedEnd{c, g}, c.SetDeadline(time.Now().Add(patience))
}

// steppedEnd is a victim's end without the public API.
type steppedEnd struct {
	transport.Conn
	g *goods
}

func (c steppedEnd) send(number int) error {
	text, beside := c.g.message(0, number, filesBeside(number))
	files := make([]transport.File, len(beside))
	for i, s := range beside {
		raw, err := s.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(h uintptr) { files[i].Value = h }); err != nil {
			return err
		}
	}
	n, err := c.Send(text, files, nil)
	if err == nil && n != len(text) {
		err = io.ErrShortWrite
	}
	return err
}

// receive counts what came, but does not look at it: that is what the survivor is for.
func (c steppedEnd) receive() (number int, err error) {
	buf := make([]byte, 2*labelSize)
	m, err := c.Recv(buf, false)
	if err != nil {
		return 0, err
	}
	if m.N == 0 {
		return 0, io.EOF
	}
	l, err := parseLabel(buf[:m.N])
	if err != nil {
		return 0, err
	}
	want := l.files
	if l.address != "" {
		want++
	}
	if m.Rights.Len() != want {
		return 0, fmt.Errorf("message %+v with %d descriptors", l, m.Rights.Len())
	}
	return l.number, m.Rights.Close()
}

type steppedSource struct{ pipe.Source }

func (s steppedSource) Accept() (pipe.Pipe, error) {
	p, err := s.Source.Accept()
	if err != nil {
		return nil, err
	}
	step()
	return &steppedPipe{Pipe: p}, nil
}

// A steppedPipe has a step before and after every operation.
type steppedPipe struct{ pipe.Pipe }

func (p *steppedPipe) Read(pool *sync.Pool, into []byte) (*pipe.Buffer, int, int, error) {
	step()
	defer step()
	return p.Pipe.Read(pool, into)
}

func (p *steppedPipe) ReadNow(pool *sync.Pool, into []byte) (*pipe.Buffer, int, int, error) {
	step()
	defer step()
	return p.Pipe.ReadNow(pool, into)
}

func (p *steppedPipe) Write(head, body []byte) error {
	step()
	defer step()
	return p.Pipe.Write(head, body)
}

func (p *steppedPipe) Close() error {
	step()
	defer step()
	return p.Pipe.Close()
}

func (p *steppedPipe) Proof() ([]byte, error) {
	step()
	defer step()
	return p.Pipe.Proof()
}

func (p *steppedPipe) Identify(proof []byte) (cred.Credentials, pipe.Ability, error) {
	step()
	defer step()
	return p.Pipe.Identify(proof)
}

func (p *steppedPipe) Answer() error {
	step()
	defer step()
	return p.Pipe.Answer()
}

func (p *steppedPipe) Pull(theirs uint64) (uintptr, error) {
	step()
	defer step()
	return p.Pipe.Pull(theirs)
}

func (p *steppedPipe) Push(ours uintptr) (uint64, error) {
	step()
	defer step()
	return p.Pipe.Push(ours)
}

func (p *steppedPipe) TakeBack(theirs uint64) error {
	step()
	defer step()
	return p.Pipe.TakeBack(theirs)
}

func (p *steppedPipe) ExportSocket(ours uintptr) ([]byte, error) {
	step()
	defer step()
	return p.Pipe.ExportSocket(ours)
}

func (p *steppedPipe) ImportSocket(description []byte) (uintptr, error) {
	step()
	defer step()
	return p.Pipe.ImportSocket(description)
}
