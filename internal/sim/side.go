package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A Side is one end of a connection, whoever has it, and the books of what its programs have sent
// and received.
type Side struct {
	w    *World
	name string
	typ  sock.Type
	on   *messagePipe
	peer *Side
	seed uint64 // of what its programs do

	// Held by whoever sends, until his message is in the pipe, and whoever receives: the engine's
	// own locks would stop the bubble.
	sending, receiving chan struct{}

	lived chan struct{} // closed when a process has it for the first time

	// Guarded by World.mu.
	holder *Process
	bound  int   // of what may be adopted ahead of the program
	lives  int   // how many processes have had it
	turn   *turn // of who has sent last

	sent    []*Message
	got     []*reading
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
	cargo    *cargo // an end that goes along
	limited  bool   // it has a deadline
	returned bool   // false: its process has ended before
	start    int    // of its bytes in the stream: see checkStream
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

// Bounds of what is adopted ahead of the program (P3), and one full message that the peer has
// pushed and not sent.
const (
	beforeAccept = descriptor.Max
	afterAccept  = sock.RightsWindow
)

// connection returns the two sides of a connection that is to be.
func (w *World) connection(t sock.Type, server, client *Process, seed uint64, quota int) (s, c *Side) {
	on := w.newPipe(server, client, quota)
	side := func(name string, holder *Process, bound int) *Side {
		return &Side{
			w: w, name: fmt.Sprintf("%d %s", on.number, name), typ: t, on: on, holder: holder, bound: bound,
			seed: seed<<8 ^ uint64(on.number)<<4, sending: make(chan struct{}, 1), receiving: make(chan struct{}, 1),
			lived: make(chan struct{}),
		}
	}
	s, c = side("server", server, beforeAccept), side("client", client, afterAccept)
	s.peer, c.peer = c, s
	on.server.side, on.client.side = s, c
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
	To       *Box              // of a datagram
	Over     *Side             // not nil: it sends its own socket, over this one if the process has that: it may be the same
}

// A Reader says how a program receives.
type Reader struct {
	Two   bool          // of them share the socket, and two programs send
	Stop  int           // it closes the socket after so many messages; 0: it reads to the end
	Max   int           // of its buffer
	Pause time.Duration // before it begins
}

// A life is what a process does with a side as long as it has it.
type life struct {
	*Side
	p    *Process
	conn *endpoint.Conn
	send *rand.Rand // of its programs
	recv *rand.Rand

	parts, senders int // programs that have not ended; guarded by World.mu
}

// Live runs the programs of a side that p has, and closes it when both have ended.
func (s *Side) Live(p *Process, c *endpoint.Conn, messages []Outgoing, r Reader) {
	s.w.mu.Lock()
	s.holder = p
	s.lives++
	l := &life{Side: s, p: p, conn: c, parts: 2, senders: 1}
	if r.Two {
		l.parts, l.senders = 4, 2
	}
	l.send = rand.New(rand.NewPCG(s.seed, uint64(2*s.lives)))
	l.recv = rand.New(rand.NewPCG(s.seed, uint64(2*s.lives+1)))
	if s.w.lives[s] = l; s.lives == 1 {
		close(s.lived)
	}
	s.w.mu.Unlock()
	programs := []func(){func() { l.sendAll(messages, r) }, func() { l.receiveAll(r) }}
	if half := len(messages) / 2; r.Two {
		programs = []func(){
			func() { l.sendAll(messages[:half], r) }, func() { l.sendAll(messages[half:], r) },
			func() { l.receiveAll(r) }, func() { l.receiveAll(r) },
		}
	}
	for _, run := range programs {
		s.w.Go("a program of "+s.name, func() { run(); l.end() })
	}
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
	l.goOn()
}

// goOn opens other files when the engine has given up waiting for whatever it has been waiting for:
// they may get the values of what was parked, and nobody must take them for that.
func (l *life) goOn() {
	time.Sleep(10 * time.Second)
	kinds := []descriptor.Kind{descriptor.File, descriptor.Pipe, descriptor.Stream, descriptor.File}
	files, _ := l.p.openAll(kinds)
	time.Sleep(2 * time.Minute)
	l.p.closeAll(files, kinds)
}

// cut: the pipe has been.
func (s *Side) cut() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.on.broken
}

// step is a step of a program.
func (l *life) step(text string) (alive bool) { return l.w.says(l.p, l.name, text) }

// sendAll sends messages one after the other, and then shuts down writing. If it sends its own
// socket, the rest is the new owner's.
func (l *life) sendAll(messages []Outgoing, r Reader) {
	for i := range messages {
		time.Sleep(messages[i].Wait)
		if messages[i].Over != nil {
			if l.move(messages[i], messages[i+1:], r) {
				return
			}
			continue
		}
		if !l.sendOne(l.send, messages[i], nil) {
			break
		}
	}
	l.w.mu.Lock()
	l.senders--
	last := l.senders == 0
	l.w.mu.Unlock()
	if last && l.step("shut down writing") {
		l.conn.CloseWrite() // fails if it has been closed
	}
}

// A turn is a program's to put a message into the pipe.
type turn struct {
	left int // so many bytes are not in it
	over bool
}

// take waits for the turn to send n bytes.
func (s *Side) take(n int) *turn {
	s.sending <- struct{}{}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.turn = &turn{left: n}
	return s.turn
}

// wrote notes that n bytes are in the pipe. When a message is, the engine lets others send, while
// its sender waits for the acknowledgement. The caller holds World.mu.
func (s *Side) wrote(n int) {
	if s.turn.left -= n; s.turn.left <= 0 {
		s.endTurn(s.turn)
	}
}

// mayBegin reports whether nobody writes. Who has put his message into the pipe may have to pay
// what is owed, under the engine's lock for those who send, for which nobody can wait here. The
// caller holds World.mu.
func (s *Side) mayBegin() bool {
	return !slices.ContainsFunc(s.w.waiting, func(x *waiter) bool {
		p, ok := x.what.(*passage)
		return ok && x.p == s.holder && p.on == s.on.number && p.verb == "write"
	})
}

// endTurn lets others send. The caller holds World.mu.
func (s *Side) endTurn(t *turn) {
	if !t.over {
		t.over = true
		<-s.sending
	}
}

// sendOne sends a message of random bytes, and with it an end, if cargo is one. It reports whether
// another can follow.
func (l *life) sendOne(random *rand.Rand, o Outgoing, cargo *cargo) bool {
	c := l.w.enter(cargo.call(l))
	defer l.w.leave(c)
	t := l.take(o.Bytes)
	l.w.awaits(c, goesOn, nil)
	defer func() {
		l.w.mu.Lock()
		defer l.w.mu.Unlock()
		l.endTurn(t)
	}()
	if !l.w.stepWhen(l.p, &said{name: l.name, text: "send"}, l.mayBegin) {
		return false
	}
	m := &Message{side: l.Side, number: len(l.sent), data: l.w.take(o.Bytes), cargo: cargo, limited: o.Deadline > 0}
	fill(m.data, random)
	files, refer := l.p.openAll(o.Kinds)
	m.files = refer
	l.note(m)
	defer l.p.closeAll(files, o.Kinds)
	switch {
	case l.p.Dead():
		return false
	case cargo != nil && len(files) < len(o.Kinds):
		return true // it would not be known by what it comes with
	case cargo != nil:
		files = append(files, transport.File{End: cargo.end})
	}
	l.sent = append(l.sent, m)
	at := time.Time{}
	if o.Deadline > 0 {
		at = time.Now().Add(o.Deadline)
	}
	l.conn.SetWriteDeadline(at) // fails if it has been closed, as Send will
	l.w.awaits(c, space, m)
	n, err := l.conn.Send(m.data, files, nil)
	l.w.awaits(c, goesOn, nil)
	if cargo != nil {
		cargo.gone = n > 0 || err == nil
	}
	if !l.w.Step(l.p, &said{name: l.name, sent: true, n: n, err: err}) {
		return false
	}
	m.returned, m.n, m.err = true, n, err
	l.w.honest(l.name, err)
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EPERM) || errors.As(err, new(*descriptor.IndexError))
}

// fill fills b with what no other message is like: splitmix64 from a random state on.
func fill(b []byte, random *rand.Rand) {
	state := random.Uint64()
	next := func() uint64 {
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, next())
	}
	for i, last := 0, next(); i < len(b); i++ {
		b[i] = byte(last >> (8 * i))
	}
}

// largest is the length of a buffer that has room for every record.
const largest = 300000

// buffers are what programs receive into, of the largest length.
var buffers = sync.Pool{New: func() any { return new([largest]byte) }}

// receiveAll receives until the end.
func (l *life) receiveAll(r Reader) {
	time.Sleep(r.Pause)
	for i := 0; r.Stop == 0 || i < r.Stop; i++ {
		if !l.receive(r.Max) {
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

// receive receives once, into a buffer of at most that many bytes, and reports whether more can
// come.
func (l *life) receive(most int) bool {
	c := l.w.enter(call{over: l, of: l.Side, plight: readers})
	defer l.w.leave(c)
	l.receiving <- struct{}{}
	defer func() { <-l.receiving }()
	l.w.awaits(c, goesOn, nil)
	if !l.step("receive") {
		return false
	}
	size := 1 + l.recv.IntN(most)
	if l.typ != sock.Stream {
		size = largest
	}
	room := buffers.Get().(*[largest]byte)
	defer buffers.Put(room)
	buf := room[:size]
	l.w.awaits(c, arrivals, nil)
	m, err := l.conn.Recv(buf, false)
	l.w.awaits(c, goesOn, nil)
	r := &reading{data: l.w.keep(buf[:m.N]), lost: err != nil}
	defer m.Rights.Close()
	if err == nil || errors.Is(err, descriptor.ErrRightsTruncated) {
		l.enter(r, m.Rights)
	}
	alive := l.w.Step(l.p, &said{name: l.name, received: true, n: m.N, m: m.Rights.Len(), err: err})
	r.void = !alive
	l.w.honest(l.name, err)
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
	files := l.p.take(set)
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
			l.takeOver(r, e)
			return nil
		})
		if err != nil {
			l.w.fail("received exactly once", "%s: descriptor %d cannot be taken: %v", l.name, i, err)
		}
	}
	return true
}

// note notes what descriptors belong to.
func (l *life) note(m *Message) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for _, f := range m.files {
		l.w.home[f] = m
	}
}

// honest fails if err is a complaint about a peer: nobody lies here.
func (w *World) honest(name string, err error) {
	if errors.Is(err, syscall.EPROTO) {
		w.fail("honest peers", "%s: %v", name, err)
	}
}
