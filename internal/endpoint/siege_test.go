package endpoint_test

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A siege is a process whose user does what a script says, and an enemy, another process, that has
// pipes to it, knows the protocol, and says and does what the script says. It lives in a bubble of
// testing/synctest.
type siege struct {
	t        *testing.T
	script   *script
	typ      sock.Type // of the first socket
	kin      kinship   // server: what the victim can do to the enemy; client: what that can do to the victim
	places   bool
	victim   *simproc.Process
	enemy    *simproc.Process
	mine     []transport.File // the user's own descriptors
	sockets  []uint64         // the enemy's: some of each kind
	files    []uint64
	pipes    map[*simproc.File]bool // what the enemy passes off as ends, and could be some
	pushed   map[uint64]bool        // what the enemy has put into the victim: true if a record may still name it
	exported int
	names    atomic.Int32 // that have been chosen, and are not free again

	mouths []*mouth
	place  uint64 // tells the enemy's socket from those that had its name before

	mu     sync.Mutex
	doors  []*door
	things []*thing
}

// most is how many pipes, and how many sockets of the user's, there are at most.
const most = 8

// enemyName is a name that leads to the enemy.
const enemyName = "/run/enemy"

func newSiege(t *testing.T, script *script, typ sock.Type, mode byte) *siege {
	s := &siege{
		t: t, script: script, typ: typ,
		kin:    kinship{server: pipe.Ability(mode & 7), client: anybody, sockets: mode&8 != 0},
		places: mode&16 == 0,
		victim: simproc.New("victim"), enemy: simproc.New("enemy"),
		pipes: make(map[*simproc.File]bool), pushed: make(map[uint64]bool),
	}
	for k := range descriptor.Terminal + 1 {
		v := uint64(s.enemy.Open(k))
		if s.files = append(s.files, v); k.Socket() {
			s.sockets = append(s.sockets, v)
		}
	}
	for range 2 {
		s.mine = append(s.mine, transport.File{Value: s.victim.Open(descriptor.File)})
	}
	return s
}

// trusting reports whether the victim believes what the enemy says is in the victim's table.
func (s *siege) trusting() bool { return s.kin.server&pipe.Trusts != 0 }

func (s *siege) config(typ sock.Type) endpoint.Config {
	choose := func(sock.Type) endpoint.Autobind { return s.choose }
	return endpoint.Config{
		Type: typ, Table: s.victim, Autobind: s.choose,
		World: &endpoint.World{System: system{s}, Network: network{s}, Autobind: choose},
	}
}

// choose chooses a name for a socket that wants credentials.
func (s *siege) choose() (string, io.Closer, error) {
	s.names.Add(1)
	return "@00009", chosen{s}, nil
}

type chosen struct{ s *siege }

func (c chosen) Close() error {
	c.s.names.Add(-1)
	return nil
}

// A mouth is the enemy's end of a pipe.
type mouth struct {
	*fakePipe
	number   int
	server   bool // the enemy's side has made the pipe
	account  *account
	last     uint64 // the serial number of what the victim has said last that wants an acknowledgement
	consumed uint64 // cost of what the victim has sent
}

// A gate is the victim's end of it, which has a descriptor and can move.
type gate struct {
	*fakePipe
	s     *siege
	v     uintptr
	mouth *mouth
	moved bool // it has come from the enemy
}

func (g *gate) Close() error {
	err := g.fakePipe.Close()
	if err == nil {
		g.s.victim.Close(g.v, descriptor.EndKind(descriptor.Unix))
	}
	return err
}

func (g *gate) Hangup() error { return g.Close() }

func (g *gate) SyscallConn() syscall.RawConn { return gateDescriptor{g} }

type gateDescriptor struct{ *gate }

func (d gateDescriptor) Control(f func(uintptr)) error {
	if d.isClosed() {
		return net.ErrClosed
	}
	f(d.v)
	return nil
}

func (d gateDescriptor) Read(func(uintptr) bool) error  { return syscall.ENOTSUP }
func (d gateDescriptor) Write(func(uintptr) bool) error { return syscall.ENOTSUP }

// pipe makes a pipe: the victim's end, of which v is the descriptor, is the server's or not.
func (s *siege) pipe(v uintptr, server bool, typ sock.Type) *gate {
	kin := s.kin
	ours, theirs := s.victim, s.enemy
	if !server {
		ours, theirs, kin.server, kin.client = theirs, ours, kin.client, kin.server
	}
	end, other := newFakePipe(kin, ours, theirs)
	if !server {
		end, other = other, end
	}
	end.places, end.forgets, other.forgets = s.places, true, true
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &mouth{fakePipe: other, number: len(s.mouths), server: !server, account: &account{typ: typ, key: len(s.mouths)}}
	s.mouths = append(s.mouths, m)
	return &gate{fakePipe: end, s: s, v: v, mouth: m}
}

// newPipe makes a pipe with a descriptor of its own.
func (s *siege) newPipe(server bool, typ sock.Type) *gate {
	return s.pipe(s.open(descriptor.Unix), server, typ)
}

// open opens what an end of kind k has, whatever room there is.
func (s *siege) open(k descriptor.Kind) uintptr {
	s.victim.Limit(roomy)
	return s.victim.Open(descriptor.EndKind(k))
}

// roomy is room for any number of descriptors.
const roomy = 1 << 30

// mouthOf returns a mouth that the script chooses.
func (s *siege) mouthOf(b byte) *mouth {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mouths) == 0 {
		return nil
	}
	return s.mouths[int(b)%len(s.mouths)]
}

// A door is where a listener's clients come from. The enemy knocks.
type door struct {
	s                 *siege
	v                 uintptr
	typ               sock.Type
	mu                sync.Mutex
	cond              sync.Cond
	waiting           []pipe.Pipe
	closed, suspended bool
}

func (s *siege) door(v uintptr, typ sock.Type) *door {
	d := &door{s: s, v: v, typ: typ}
	d.cond.L = &d.mu
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doors = append(s.doors, d)
	return d
}

func (d *door) Accept() (pipe.Pipe, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) == 0 && !d.closed && !d.suspended {
		d.cond.Wait()
	}
	if len(d.waiting) == 0 {
		return nil, net.ErrClosed
	}
	p := d.waiting[0]
	d.waiting = d.waiting[1:]
	return p, nil
}

func (d *door) Unlink() error { return nil }

func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	d.closed = true
	d.cond.Broadcast()
	for _, p := range d.waiting {
		p.Close()
	}
	d.waiting = nil
	return d.s.victim.Close(d.v, descriptor.EndKind(descriptor.UnixListener))
}

func (d *door) Suspend() ([]uintptr, []byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.suspended = true
	d.cond.Broadcast()
	return []uintptr{d.v}, []byte("state"), nil
}

func (d *door) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.suspended = false
}

func (d *door) SetUnlinkOnClose(bool) {}

// knock makes a client's pipe.
func (d *door) knock() *mouth {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.suspended {
		return nil
	}
	g := d.s.newPipe(true, d.typ)
	d.waiting = append(d.waiting, g)
	d.cond.Broadcast()
	return g.mouth
}

// A system makes ends of what the enemy has sent.
type system struct{ s *siege }

func (w system) OpenPipe(v uintptr, server bool) (pipe.Pipe, error) {
	s := w.s
	if f := s.victim.Refers(v); !s.pipes[f] || s.full() {
		s.victim.Close(v, descriptor.EndKind(descriptor.Unix))
		return nil, syscall.EPROTO
	}
	g := s.pipe(v, server, s.typ)
	g.moved = true
	return g, nil
}

func (w system) OpenSource(descriptors []uintptr, _ []byte) (pipe.Source, error) {
	s := w.s
	known := s.pipes[s.victim.Refers(descriptors[0])]
	for i, v := range descriptors {
		if i > 0 || !known {
			s.victim.Close(v, descriptor.EndKind(descriptor.UnixListener))
		}
	}
	if !known {
		return nil, syscall.EPROTO
	}
	return s.door(descriptors[0], s.typ), nil
}

// A network has one name that leads to the enemy, and any number that are free.
type network struct{ s *siege }

func (n network) Find(name string) (pipe.Place, error) {
	if name != enemyName {
		return pipe.Place{}, syscall.ENOENT
	}
	return pipe.Place{n.s.place}, nil
}

func (n network) Dial(_ context.Context, name string) (pipe.Pipe, error) {
	switch {
	case name != enemyName:
		return nil, syscall.ENOENT
	case n.s.full():
		return nil, syscall.EAGAIN
	}
	return n.s.newPipe(false, sock.Datagram), nil
}

func (n network) Listen(name string) (pipe.Source, string, error) {
	if name == "" {
		name = "@00000"
	}
	return n.s.door(n.s.open(descriptor.UnixListener), sock.Datagram), name, nil
}

// full reports whether there are as many pipes as there may be.
func (s *siege) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mouths) >= most
}

// bounded fails if the enemy has made the victim adopt more descriptors than it may (P3).
func (s *siege) bounded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	bound := len(s.mouths) * sock.RightsWindow
	if n := s.victim.Len() - len(s.pushed) - s.exported; n > bound+len(s.mine)+3*most { // with ends, and parked copies
		s.t.Fatalf("%d descriptors have been adopted, over %d connections", n, len(s.mouths))
	}
}

// end closes everything, waits longer than anything lingers, and looks what is left.
func (s *siege) end() {
	s.mu.Lock()
	things, mouths := slices.Clone(s.things), slices.Clone(s.mouths)
	s.mu.Unlock()
	for _, t := range things {
		t.close()
	}
	for _, m := range mouths {
		m.Close()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	for _, t := range s.things { // that a call has brought meanwhile
		t.close()
	}
	time.Sleep(time.Minute)
	own := make(map[uint64]bool)
	for _, f := range s.mine {
		own[uint64(f.Value)] = true
		if s.victim.Refers(f.Value) == nil {
			s.t.Errorf("the user's own descriptor %#x has been closed", f.Value)
		}
	}
	for _, v := range s.victim.Values() {
		if _, pushed := s.pushed[v]; !pushed && !own[v] {
			s.t.Errorf("%#x is left behind, of kind %d", v, kindOf(s.victim, v))
		}
	}
	for _, f := range s.victim.Faults() {
		s.t.Error(f)
	}
	if n := s.names.Load(); n != 0 {
		s.t.Errorf("%d names are taken", n)
	}
}

func kindOf(p *simproc.Process, v uint64) descriptor.Kind {
	k, _ := p.Kind(uintptr(v))
	return k
}
