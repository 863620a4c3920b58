package difftest

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"afunix/internal/leaktest"
)

// A process runs operations: this one, or the second.
type process interface {
	begin(Setting) error
	do(i int, op Op, h Hint) Result
	ready(slot int) bool // is there something to read or accept? Only the reference knows
	close()              // everything
	left() int           // how many descriptors are left then
}

// local is this process.
type local struct {
	w      *world
	before int // descriptors that are open without any socket
	files  []*os.File
	infos  []os.FileInfo
}

const sentFiles = 8

// makeFiles makes the files that are sent. The last is a directory.
func makeFiles(dir string) error {
	for i := range sentFiles - 1 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dir, strconv.Itoa(sentFiles-1)), 0o700)
}

// newLocal opens the files that are sent.
func newLocal(dir string) (*local, error) {
	l := new(local)
	for i := range sentFiles {
		f, err := os.Open(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		l.files, l.infos = append(l.files, f), append(l.infos, info)
	}
	return l, nil
}

func (l *local) closeFiles() {
	for _, f := range l.files {
		f.Close()
	}
}

func (l *local) begin(s Setting) (err error) {
	withoutGC()
	l.w = &world{Setting: s, sockets: make(map[int]*socket), files: l.files, infos: l.infos}
	l.before, err = leaktest.Descriptors()
	return err
}

func (l *local) do(i int, op Op, h Hint) Result { return l.w.do(i, op, h) }

func (l *local) ready(slot int) bool {
	s := l.w.sockets[slot]
	return s != nil && !waitsToRead(s.end())
}

// withoutGC keeps the garbage collector from closing what was forgotten, until left.
func withoutGC() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
}

func (l *local) close() {
	closed := make(chan struct{})
	go func() {
		l.w.close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(hanging): // what is left will tell
	}
}

// left waits for what other goroutines and the other process still have to close.
func (l *local) left() int {
	defer debug.SetGCPercent(100)
	give := time.After(generous)
	for {
		now, err := leaktest.Descriptors()
		if err == nil && now == l.before {
			return 0
		}
		select {
		case <-give:
			return now - l.before
		case <-time.After(time.Millisecond):
		}
	}
}

// request and response are what is said between the two processes.
type request struct {
	Verb    verb
	Setting Setting
	I       int
	Op      Op
	Hint    Hint
	Slot    int
}

type verb int

const (
	beginRun verb = iota
	doOp
	askReady
	closeAll
	askLeft
)

type response struct {
	Result Result
	Ready  bool
	Left   int
	Err    string
}

// Serve is the second process: it does what it is told on r, until that ends.
func Serve(files string, r io.Reader, w io.Writer) error {
	l, err := newLocal(files)
	if err != nil {
		return err
	}
	dec, enc := gob.NewDecoder(r), gob.NewEncoder(w)
	for {
		var q request
		if err := dec.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var a response
		switch q.Verb {
		case beginRun:
			if err := l.begin(q.Setting); err != nil {
				a.Err = err.Error()
			}
		case doOp:
			a.Result = l.do(q.I, q.Op, q.Hint)
		case askReady:
			a.Ready = l.ready(q.Slot)
		case closeAll:
			l.close()
		case askLeft:
			a.Left = l.left()
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
}

// second is the second process, seen from the first.
type second struct {
	start   func() *exec.Cmd
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	enc     *gob.Encoder
	dec     *gob.Decoder
	setting Setting
}

// spawn starts the process.
func (s *second) spawn() error {
	s.cmd = s.start()
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.enc, s.dec = gob.NewEncoder(s.stdin), gob.NewDecoder(stdout)
	return s.cmd.Start()
}

// stop ends the process, at once with kill.
func (s *second) stop(kill bool) {
	if kill {
		s.cmd.Process.Kill()
	}
	s.stdin.Close()
	s.cmd.Wait()
}

// restart kills the process and starts another, which has no sockets. It returns the new PID.
func (s *second) restart() (int, error) {
	s.stop(true)
	if err := s.spawn(); err != nil {
		return 0, err
	}
	s.setting.PIDs = append(s.setting.PIDs, s.cmd.Process.Pid)
	return s.cmd.Process.Pid, s.begin(s.setting)
}

func (s *second) ask(q request) (a response, err error) {
	if err := s.enc.Encode(q); err != nil {
		return a, err
	}
	if err := s.dec.Decode(&a); err != nil {
		return a, fmt.Errorf("the second process: %w", err)
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

func (s *second) begin(setting Setting) error {
	s.setting = setting
	_, err := s.ask(request{Verb: beginRun, Setting: setting})
	return err
}

func (s *second) do(i int, op Op, h Hint) Result {
	a, err := s.ask(request{Verb: doOp, I: i, Op: op, Hint: h})
	if err != nil {
		return Result{Err: Failure{What: "died"}, Detail: err.Error()}
	}
	return a.Result
}

func (s *second) ready(slot int) bool {
	a, err := s.ask(request{Verb: askReady, Slot: slot})
	return err == nil && a.Ready
}

func (s *second) close() { s.ask(request{Verb: closeAll}) }

func (s *second) left() int {
	a, err := s.ask(request{Verb: askLeft})
	if err != nil {
		return -1
	}
	return a.Left
}
