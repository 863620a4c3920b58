package sim

import (
	"bytes"
	"errors"
	"fmt"
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
	seed uint64 // of what its programs do

	sending chan struct{} // held by whoever sends: the engine's own lock would stop the bubble

	// Guarded by World.mu.
	holder *Process
	bound  int // of what may be adopted ahead of the program
	lives  int // how many processes have had it

	sent    []*Message
	got     []*reading
	length  int   // of what has been received on a stream
	died    bool  // the process that had it last
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
	moved    *Side // an end that goes along
	returned bool  // false: its process has ended before
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
	void     bool // its process was killed before it could tell
}

// Bounds of what is adopted ahead of the program (P3), and one full message that the peer has pushed and not sent.
const (
	beforeAccept = 253
	afterAccept  = sock.RightsWindow
)

// connection returns the two sides of a connection that is to be.
func (w *World) connection(t sock.Type, server, client *Process, seed uint64, quota int) (s, c *Side) {
	on := w.newPipe(server, client, quota)
	side := func(name string, holder *Process, bound int) *Side {
		return &Side{
			w: w, name: fmt.Sprintf("%d %s", on.number, name), typ: t, on: on, holder: holder, bound: bound,
			seed: seed<<8 ^ uint64(on.number)<<4, sending: make(chan struct{}, 1),
		}
	}
	s, c = side("server", server, beforeAccept), side("client", client, afterAccept)
	s.peer, c.peer = c, s
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
	Wait     time.Duration     // before it
	Over     *Side             // not nil: it sends its own socket, over this one if the process has it, too
}

// A Reader says how a program receives.
type Reader struct {
	Stop  int           // it closes the socket after so many messages; 0: it reads to the end
	Max   int           // of its buffer
	Pause time.Duration // before it begins
}

// A life is what a process does with a side as long as it has it.
type life struct {
	*Side
	p     *Process
	conn  *endpoint.Conn
	send  *rand.Rand // of its programs
	recv  *rand.Rand
	parts int // programs that have not ended; guarded by World.mu
}

// Live runs the programs of a side that p has, and closes it when both have ended.
func (s *Side) Live(p *Process, c *endpoint.Conn, messages []Outgoing, r Reader) {
	s.w.mu.Lock()
	s.holder = p
	s.lives++
	l := &life{Side: s, p: p, conn: c, parts: 2}
	l.send = rand.New(rand.NewPCG(s.seed, uint64(2*s.lives)))
	l.recv = rand.New(rand.NewPCG(s.seed, uint64(2*s.lives+1)))
	s.w.lives[s] = l
	s.w.mu.Unlock()
	s.w.Go("sender of "+s.name, func() { l.sendAll(messages, r); l.end() })
	s.w.Go("receiver of "+s.name, func() { l.receiveAll(r); l.end() })
}

// end ends a program.
func (l *life) end() {
	l.w.mu.Lock()
	l.parts--
	last := l.parts == 0
	l.w.mu.Unlock()
	if !last || !l.step("close") {
		return
	}
	if err := l.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !l.cut() {
		l.w.fail("order and boundaries", "%s: close: %v", l.name, err)
	}
}

// cut: the pipe has been.
func (s *Side) cut() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.on.broken
}

// step is a step of a program.
func (l *life) step(format string, args ...any) (alive bool) {
	return l.w.Step(l.p, fmt.Sprintf("program "+l.name+": "+format, args...))
}

// sendAll sends messages one after the other, and then shuts down writing. If it sends its own socket, the rest is the new owner's.
func (l *life) sendAll(messages []Outgoing, r Reader) {
	for i := range messages {
		time.Sleep(messages[i].Wait)
		if over := messages[i].Over; over != nil {
			if l.move(over, messages[i], messages[i+1:], r) {
				return
			}
			continue
		}
		if !l.sendOne(l, messages[i], nil) {
			break
		}
	}
	if l.step("shut down writing") {
		l.conn.CloseWrite() // fails if it has been closed
	}
}

// sendOne sends a message by order of another side's program, which may be l itself, and with it the socket of that. It reports whether
// another can follow.
func (l *life) sendOne(by *life, o Outgoing, cargo *luggage) bool {
	l.sending <- struct{}{}
	defer func() { <-l.sending }()
	if !l.step("send") {
		return false
	}
	m := &Message{side: l.Side, number: len(l.sent), data: make([]byte, o.Bytes)}
	for i := range m.data {
		m.data[i] = byte(by.send.Uint32())
	}
	files := make([]transport.File, 0, len(o.Kinds)+1)
	for _, k := range o.Kinds {
		v, err := l.p.OpenObject(k, nil)
		if err != nil {
			break // no room: it sends fewer
		}
		files = append(files, transport.File{Value: v})
		m.files = append(m.files, l.p.Refers(v))
		l.note(m, v)
	}
	defer l.closeFiles(files, o.Kinds)
	if l.p.Dead() {
		return false
	}
	if cargo != nil {
		files = append(files, transport.File{End: by.conn})
		m.moved = by.Side
	}
	l.sent = append(l.sent, m)
	at := time.Time{}
	if o.Deadline > 0 {
		at = time.Now().Add(o.Deadline)
	}
	l.conn.SetWriteDeadline(at) // fails if it has been closed, as Send will
	n, err := l.conn.Send(m.data, files, nil)
	if cargo != nil {
		cargo.gone = n > 0 || err == nil
	}
	if !l.step("sent %d, %v", n, err) {
		return false
	}
	m.returned, m.n, m.err = true, n, err
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EPERM) || errors.As(err, new(*descriptor.IndexError))
}

// closeFiles closes the program's own descriptors, which it has sent or not.
func (l *life) closeFiles(files []transport.File, kinds []descriptor.Kind) {
	for i, k := range kinds[:min(len(kinds), len(files))] {
		if v := files[i].Value; l.p.Refers(v) != nil {
			l.p.Process.Close(v, k)
		}
	}
}

// A luggage is what the program that receives a socket goes on with.
type luggage struct {
	rest []Outgoing
	r    Reader
	gone bool
}

// move sends the socket of l over another one of the same process, and reports whether it has gone.
func (l *life) move(over *Side, o Outgoing, rest []Outgoing, r Reader) (gone bool) {
	for range 1000 { // it may not be connected yet
		l.w.mu.Lock()
		connected := l.w.lives[over] != nil
		l.w.mu.Unlock()
		if connected {
			break
		}
		time.Sleep(time.Millisecond)
	}
	l.w.mu.Lock()
	carrier := l.w.lives[over]
	cargo := &luggage{rest: rest, r: r}
	here := carrier != nil && carrier.p == l.p && over != l.Side
	if here {
		l.w.moving[l.Side] = cargo
	}
	l.w.mu.Unlock()
	if !here {
		return false
	}
	o.Kinds = append([]descriptor.Kind{descriptor.File}, o.Kinds...) // by which the message is known
	carrier.sendOne(l, o, cargo)
	if cargo.gone {
		l.p.Disown(l.conn)
	}
	return cargo.gone
}

// receiveAll receives until the end.
func (l *life) receiveAll(r Reader) {
	time.Sleep(r.Pause)
	for i := 0; r.Stop == 0 || i < r.Stop; i++ {
		if !l.receive(1 + l.recv.IntN(r.Max)) {
			return
		}
	}
	if l.step("close early") {
		l.w.mu.Lock()
		l.stopped = true
		l.w.mu.Unlock()
		l.conn.Close()
	}
}

// receive receives once, and reports whether more can come.
func (l *life) receive(size int) bool {
	if !l.step("receive") {
		return false
	}
	if l.typ != sock.Stream {
		size = 300000
	}
	buf := make([]byte, size)
	m, err := l.conn.Recv(buf, false)
	r := &reading{data: bytes.Clone(buf[:m.N]), lost: err != nil}
	defer m.Rights.Close()
	if err == nil || errors.Is(err, descriptor.ErrRightsTruncated) {
		l.enter(r, m.Rights)
	}
	alive := l.step("received %d bytes, %d descriptors, %v", m.N, m.Rights.Len(), err)
	r.void = !alive
	switch {
	case !alive, errors.Is(err, net.ErrClosed):
		return false
	case errors.Is(err, syscall.ECONNRESET) && !l.reset:
		l.reset = true // it is reported once, and of records before those that are queued
		return true
	case err != nil && !errors.Is(err, descriptor.ErrRightsTruncated):
		l.ended = err
		return false
	}
	return l.unpack(r, m.Rights)
}

// enter puts what has been read into the books.
func (l *life) enter(r *reading, set *descriptor.Set) {
	var files []*simproc.File
	for i := range set.Len() {
		if v, _, e := set.Borrow(i); e == nil {
			l.p.Took(v)
			files = append(files, l.p.Refers(v))
		}
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	r.from, r.to, r.files = l.length, l.length+len(r.data), files
	l.length = r.to
	l.got = append(l.got, r)
}

// unpack takes what has come: descriptors are closed, and sockets are lived with.
func (l *life) unpack(r *reading, set *descriptor.Set) bool {
	for i := range set.Len() {
		err := set.Give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
			if e == nil {
				return l.p.Process.Close(v, k)
			}
			l.takeOver(r, e.(*endpoint.Conn))
			return nil
		})
		if err != nil {
			l.w.fail("received exactly once", "%s: descriptor %d cannot be taken: %v", l.name, i, err)
		}
	}
	return true
}

// takeOver goes on with the socket that has come with r. Which one it is, its message tells.
func (l *life) takeOver(r *reading, c *endpoint.Conn) {
	l.p.Own(c)
	l.w.mu.Lock()
	var s *Side
	if len(r.files) > 0 && l.w.home[r.files[0]] != nil {
		s = l.w.home[r.files[0]].moved
	}
	cargo := l.w.moving[s]
	l.w.mu.Unlock()
	if s == nil {
		l.w.fail("order and boundaries", "%s: a socket came with what it was not sent with", l.name)
		return
	}
	s.Live(l.p, c, cargo.rest, cargo.r)
}

// note notes what a descriptor belongs to.
func (l *life) note(m *Message, v uintptr) {
	f := l.p.Refers(v)
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.home[f] = m
}
