package sim

import (
	"context"
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

// A Box is a datagram socket, whoever has it, and the books of what its programs have sent and
// received. One that has a name receives.
type Box struct {
	w    *World
	name string // "" if it has none
	peer *Box   // that it is connected to: then it has no name
	seed uint64

	// Guarded by World.mu.
	holder *Process
	lives  int
	sent   []*Letter
	got    []*delivery
	quiet  int // the step at which its program began to wait for something that never came; 0: it has not got so far
}

// A Letter is a datagram that one call has sent.
type Letter struct {
	from, to     *Box
	life         int // of from: how many processes had had it
	data         []byte
	files        []*simproc.File
	began, ended int // steps; ended is 0 if the process has ended before
	n            int
	err          error
}

// A delivery is a datagram that one call has received.
type delivery struct {
	data  []byte
	files []*simproc.File
	from  string
	lost  bool

	began, ended int // steps
	letter       *Letter
}

func (x *Letter) String() string {
	return fmt.Sprintf("a datagram of %v to %v (%d bytes, %d descriptors: %d, %v)", x.from, x.to, len(x.data), len(x.files), x.n, x.err)
}

// silence is how long a box waits for another datagram.
const silence = 3 * time.Minute

// box returns one that p is to have.
func (w *World) box(p *Process, name string, peer *Box, seed uint64) *Box {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := &Box{w: w, name: name, peer: peer, holder: p, seed: seed<<8 ^ uint64(len(w.boxes)+1)<<4 ^ 1}
	w.boxes = append(w.boxes, b)
	return b
}

func (b *Box) String() string {
	if b.name == "" {
		return "a box without a name"
	}
	return "box " + b.name
}

// Open makes the socket and runs its programs.
func (b *Box) Open(p *Process, letters []Outgoing, r Reader) {
	b.w.Go("beginning of "+b.String(), func() {
		if !b.w.Step(p, word("program: open "+b.String())) {
			return
		}
		cfg := p.config(sock.Datagram)
		var s *endpoint.PacketConn
		var err error
		if b.peer != nil {
			s, err = endpoint.DialPacket(context.Background(), network{p}, false, "", b.peer.name, cfg)
		} else {
			s, err = endpoint.ListenPacket(network{p}, b.name, cfg)
		}
		if err != nil {
			return // its peer is not there, the process is dead, or has no room
		}
		p.Own(s)
		b.live(p, s, letters, r)
	})
}

// A boxLife is what a process does with a box as long as it has it.
type boxLife struct {
	*Box
	p      *Process
	conn   *endpoint.PacketConn
	number int // of the life, from 1
	random *rand.Rand
	parts  int // programs that have not ended; guarded by World.mu
}

func (b *Box) live(p *Process, s *endpoint.PacketConn, letters []Outgoing, r Reader) {
	b.w.mu.Lock()
	b.holder = p
	b.lives++
	l := &boxLife{Box: b, p: p, conn: s, number: b.lives, random: rand.New(rand.NewPCG(b.seed, uint64(b.lives)))}
	b.w.mu.Unlock()
	programs := []func(){func() { l.sendAll(letters, r) }}
	if b.name != "" {
		programs = append(programs, func() { l.receiveAll(r) })
		if r.Two {
			programs = append(programs, func() { l.receiveAll(r) })
		}
	}
	l.parts = len(programs)
	for _, run := range programs {
		b.w.Go("a program of "+b.String(), func() { run(); l.end() })
	}
}

func (l *boxLife) end() {
	l.w.mu.Lock()
	l.parts--
	last := l.parts == 0
	l.w.mu.Unlock()
	if last && l.step("close") {
		l.conn.Close() // fails if it has been moved
	}
}

func (l *boxLife) step(text string) (alive bool) { return l.w.says(l.p, l.String(), text) }

// now is the number of steps so far.
func (w *World) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps
}

func (l *boxLife) sendAll(letters []Outgoing, r Reader) {
	for i := range letters {
		time.Sleep(letters[i].Wait)
		switch o := letters[i]; {
		case o.Over == nil && !l.sendOne(o):
			return
		case o.Over != nil && l.move(o, letters[i+1:], r):
			return
		}
	}
}

// sendOne sends a letter, and reports whether another one can follow.
func (l *boxLife) sendOne(o Outgoing) bool {
	if !l.step("send") {
		return false
	}
	x := &Letter{from: l.Box, life: l.number, to: o.To, data: l.w.take(max(o.Bytes, 16)), began: l.w.now()}
	to := &net.UnixAddr{Net: "unixgram"}
	if l.peer != nil {
		x.to, to = l.peer, nil
	} else {
		to.Name = o.To.name
	}
	fill(x.data, l.random)
	files, refer := l.p.openAll(o.Kinds)
	x.files = refer
	defer l.p.closeAll(files, o.Kinds)
	l.w.mu.Lock()
	l.sent = append(l.sent, x)
	l.w.mu.Unlock()
	at := time.Time{}
	if o.Deadline > 0 {
		at = time.Now().Add(o.Deadline)
	}
	l.conn.SetWriteDeadline(at) // fails if it has been closed, as Send will
	n, err := l.conn.Send(x.data, files, to)
	if !l.w.Step(l.p, &said{name: l.String(), sent: true, n: n, err: err}) {
		return false
	}
	x.ended, x.n, x.err = l.w.now(), n, err
	l.w.honest(l.String(), err)
	return !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ENOTCONN)
}

// move sends the socket over a connection of the process, and reports whether it has gone.
func (l *boxLife) move(o Outgoing, rest []Outgoing, r Reader) (gone bool) {
	c := &cargo{end: l.conn, arrive: func(p *Process, e descriptor.End) {
		p.Own(e)
		l.live(p, e.(*endpoint.PacketConn), rest, r)
	}}
	if !c.carry(l.p, o.Over, l.random, o) {
		return false
	}
	l.p.Disown(l.conn)
	return true
}

// receiveAll receives until nothing has come for a while.
func (l *boxLife) receiveAll(r Reader) {
	time.Sleep(r.Pause)
	for i := 0; r.Stop == 0 || i < r.Stop; i++ {
		if !l.receive() {
			return
		}
	}
	if l.step("does not read any more") {
		l.conn.CloseRead() // fails if it has been closed
	}
	for l.receive() { // what is queued already
	}
}

func (l *boxLife) receive() bool {
	if !l.step("receive") {
		return false
	}
	began := l.w.now()
	l.conn.SetReadDeadline(time.Now().Add(silence)) // fails if it has been closed, as Recv will
	room := buffers.Get().(*[largest]byte)
	defer buffers.Put(room)
	buf := room[:]
	m, err := l.conn.Recv(buf, false)
	d := &delivery{data: l.w.keep(buf[:m.N]), lost: err != nil, files: l.p.take(m.Rights)}
	if m.From != nil {
		d.from = m.From.Name
	}
	defer m.Rights.Close()
	d.began = began
	alive := l.w.Step(l.p, &said{name: l.String(), received: true, n: m.N, m: m.Rights.Len(), err: err})
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	d.ended = l.w.steps
	switch {
	case !alive:
		return false
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.quiet = began
		return false
	case err != nil && !errors.Is(err, descriptor.ErrRightsTruncated):
		return false
	}
	l.got = append(l.got, d)
	return true
}

// openAll opens files of these kinds, or as many as there is room for.
func (p *Process) openAll(kinds []descriptor.Kind) (files []transport.File, refer []*simproc.File) {
	for _, k := range kinds {
		v, err := p.OpenObject(k, nil)
		if err != nil {
			break
		}
		files = append(files, transport.File{Value: v})
		refer = append(refer, p.Refers(v))
	}
	return files, refer
}

// closeAll closes them, whether they have been sent or not.
func (p *Process) closeAll(files []transport.File, kinds []descriptor.Kind) {
	for i, k := range kinds[:min(len(kinds), len(files))] {
		if v := files[i].Value; p.Refers(v) != nil {
			p.Process.Close(v, k)
		}
	}
}

// take notes that the program has got what is in set, and returns what that refers to.
func (p *Process) take(set *descriptor.Set) (files []*simproc.File) {
	for i := range set.Len() {
		if v, _, e := set.Borrow(i); e == nil {
			p.Took(v)
			files = append(files, p.Refers(v))
		}
	}
	return files
}
