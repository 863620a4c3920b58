package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A Side is one end of a connection, whoever has it, and the books of what its programs have sent and received.
type Side struct {
	w    *World
	name string
	typ  sock.Type
	on   *pipe
	peer *Side
	rng  *rand.Rand // of its programs
	conn *endpoint.Conn

	// Guarded by World.mu.
	holder *Process
	bound  int // of what may be adopted ahead of the program
	parts  int // programs that have not ended

	sent    []*Message
	got     []reading
	length  int   // of what has been received on a stream
	ended   error // what receiving has ended with
	stopped bool  // its program has stopped reading, and closed it
	reset   bool  // … has been told of a reset
}

// A Message is what one call has sent.
type Message struct {
	side     *Side
	number   int
	data     []byte
	files    []*simproc.File
	returned bool // false: its process has ended before
	n        int
	err      error
}

func (m *Message) String() string {
	return fmt.Sprintf("message %d of %s (%d bytes, %d descriptors: %d, %v)", m.number, m.side.name, len(m.data), len(m.files), m.n, m.err)
}

// A reading is what one call has received.
type reading struct {
	from, to int // in the stream
	data     []byte
	files    []*simproc.File
	lost     bool
}

// Bounds of what is adopted ahead of the program (P3), and one full message that the peer has pushed and not sent.
const (
	beforeAccept = 253
	afterAccept  = sock.RightsWindow
)

// connection returns the two sides of a connection that is to be.
func (w *World) connection(t sock.Type, server, client *Process, seed uint64, quota int) (s, c *Side) {
	on := w.newPipe(server, client, quota)
	s = &Side{w: w, name: fmt.Sprintf("%d server", on.number), typ: t, on: on, holder: server, bound: beforeAccept}
	c = &Side{w: w, name: fmt.Sprintf("%d client", on.number), typ: t, on: on, holder: client, bound: afterAccept}
	s.peer, c.peer = c, s
	s.rng = rand.New(rand.NewPCG(seed, uint64(2*on.number)))
	c.rng = rand.New(rand.NewPCG(seed, uint64(2*on.number+1)))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sides = append(w.sides, s, c)
	return s, c
}

// process returns who has the side now.
func (s *Side) process() *Process {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.holder
}

// An Outgoing says what a program sends.
type Outgoing struct {
	Bytes    int
	Kinds    []descriptor.Kind // of the descriptors
	Deadline time.Duration     // 0: none
}

// Send sends messages one after the other, and then shuts down writing.
func (s *Side) Send(messages []Outgoing) {
	for i := range messages {
		if !s.send(&messages[i]) {
			break
		}
	}
	if !s.w.Step(s.process(), "program "+s.name+": shut down writing") {
		return
	}
	s.conn.CloseWrite() // fails if it has been closed
}

// send sends one, and reports whether another can follow.
func (s *Side) send(o *Outgoing) bool {
	p := s.process()
	if !s.w.Step(p, "program "+s.name+": send") {
		return false
	}
	m := &Message{side: s, number: len(s.sent), data: make([]byte, o.Bytes)}
	for i := range m.data {
		m.data[i] = byte(s.rng.Uint32())
	}
	files := make([]transport.File, 0, len(o.Kinds))
	for _, k := range o.Kinds {
		v, err := p.OpenObject(k, nil)
		if err != nil {
			break // no room: it sends fewer
		}
		files = append(files, transport.File{Value: v})
		m.files = append(m.files, p.Refers(v))
	}
	defer func() {
		for i, f := range files {
			if p.Refers(f.Value) != nil {
				p.Process.Close(f.Value, o.Kinds[i])
			}
		}
	}()
	if len(files) < len(o.Kinds) && p.Dead() {
		return false
	}
	s.sent = append(s.sent, m)
	at := time.Time{}
	if o.Deadline > 0 {
		at = time.Now().Add(o.Deadline)
	}
	s.conn.SetWriteDeadline(at) // fails if it has been closed, as Send will
	n, err := s.conn.Send(m.data, files, nil)
	if !s.w.Step(p, fmt.Sprintf("program %s: sent %d, %v", s.name, n, err)) {
		return false
	}
	m.returned, m.n, m.err = true, n, err
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EPERM) || errors.As(err, new(*descriptor.IndexError))
}

// A Reader says how a program receives.
type Reader struct {
	Stop  int           // it closes the socket after so many messages; 0: it reads to the end
	Max   int           // of its buffer
	Pause time.Duration // before it begins
}

// Receive receives until the end.
func (s *Side) Receive(r Reader) {
	time.Sleep(r.Pause)
	for i := 0; r.Stop == 0 || i < r.Stop; i++ {
		if !s.receive(1 + s.rng.IntN(r.Max)) {
			return
		}
	}
	if s.w.Step(s.process(), "program "+s.name+": close early") {
		s.w.mu.Lock()
		s.stopped = true
		s.w.mu.Unlock()
		s.conn.Close()
	}
}

// receive receives once, and reports whether more can come.
func (s *Side) receive(size int) bool {
	p := s.process()
	if !s.w.Step(p, "program "+s.name+": receive") {
		return false
	}
	if s.typ != sock.Stream {
		size = 300000
	}
	buf := make([]byte, size)
	m, err := s.conn.Recv(buf, false)
	defer m.Rights.Close()
	for i := range m.Rights.Len() {
		v, _, _ := m.Rights.Borrow(i)
		p.Took(v)
	}
	if !s.w.Step(p, fmt.Sprintf("program %s: received %d bytes, %d descriptors, %v", s.name, m.N, m.Rights.Len(), err)) {
		return false
	}
	if errors.Is(err, syscall.ECONNRESET) && !s.reset {
		s.reset = true // it is reported once, and of records before those that are queued
		return true
	}
	if err != nil && !errors.Is(err, descriptor.ErrRightsTruncated) {
		s.ended = err
		return false
	}
	r := reading{from: s.length, to: s.length + m.N, data: bytes.Clone(buf[:m.N]), lost: err != nil}
	s.length = r.to
	for i := range m.Rights.Len() {
		v, k, err := m.Rights.Take(i)
		if err != nil {
			s.w.fail("received exactly once", "%s: descriptor %d cannot be taken: %v", s.name, i, err)
			continue
		}
		r.files = append(r.files, p.Refers(v))
		p.Process.Close(v, k)
	}
	s.got = append(s.got, r)
	return true
}

// Live runs the programs of a connected side, and closes it when all have ended.
func (s *Side) Live(c *endpoint.Conn, messages []Outgoing, r Reader) {
	s.conn = c
	s.parts = 2
	end := func() {
		s.w.mu.Lock()
		s.parts--
		last := s.parts == 0
		s.w.mu.Unlock()
		if last && s.w.Step(s.process(), "program "+s.name+": close") {
			if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !s.excused() {
				s.w.fail("order and boundaries", "%s: close: %v", s.name, err)
			}
		}
	}
	s.w.Go("sender of "+s.name, func() { s.Send(messages); end() })
	s.w.Go("receiver of "+s.name, func() { s.Receive(r); end() })
}

// excused: the pipe has been cut.
func (s *Side) excused() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.on.broken
}

var _ io.Closer = (*endpoint.Conn)(nil)
