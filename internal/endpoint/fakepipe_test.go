package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/wire"
)

// A fakePipe is one end of a message pipe in memory, with a process of package simproc at the other
// end. It keeps what was written, can hold packets back, be full, or pretend anything about its
// peer. It satisfies pipe.Pipe, and panics if the engine breaks that contract. Its waits are
// durable in the sense of testing/synctest.
type fakePipe struct {
	*simproc.View // what this side can do to the other process
	fakePeer
	peer *fakePipe

	line  *sync.Mutex // of both ends
	news  *sync.Cond  // something has happened at either end
	queue [][]byte    // what can be read here
	held  [][]byte    // what was written by the peer and is held back
	log   [][]byte    // what was written here

	holding     bool   // what is written by the peer from now on is held back
	capacity    int    // how many packets from the peer there may be; 0: any number, below 0: none
	places      bool   // into the buffer of the Read that waits, as on Linux
	forgets     bool   // keeps no log
	flood       []byte // comes again and again while nothing else does …
	flooded     int    // … and has, so many times
	interrupted bool
	closed      bool
	waited      bool

	writers, readers atomic.Int32
	asked            func()  // is called by Connected, before it looks
	none             func()  // … by ReadNow, when there is nothing
	tried, wrote     func()  // are called by Write, before it looks and after it has written
	number           uintptr // see SyscallConn
}

// fakePeer is what is pretended about the other end.
type fakePeer struct {
	who      cred.Credentials
	can      pipe.Ability
	identify error  // what Identify says
	proof    []byte // what our Proof is
	proofs   [][]byte
	answered bool // by us
	unproved bool // the other end is not believed
}

// A kinship is what the processes at the two ends can do to each other.
type kinship struct {
	server, client pipe.Ability // over the other
	sockets        bool         // go by export
}

const (
	opens   = pipe.CanPull | pipe.CanPush
	anybody = opens | pipe.Trusts
)

var (
	onLinux   = kinship{server: pipe.CanPull, client: pipe.CanPull}
	onWindows = kinship{server: anybody, client: anybody, sockets: true}
)

// newFakePipe returns the two ends of a pipe between two processes.
func newFakePipe(k kinship, server, client *simproc.Process) (s, c *fakePipe) {
	line := new(sync.Mutex)
	news := sync.NewCond(line)
	s = &fakePipe{View: server.View(client, k.server, k.sockets), line: line, news: news, places: true}
	c = &fakePipe{View: client.View(server, k.client, k.sockets), line: line, news: news, places: true}
	s.peer, c.peer = c, s
	s.fakePeer = fakePeer{who: cred.Credentials{PID: 200, UID: 20, GID: 2}, can: k.server, proof: []byte("server")}
	c.fakePeer = fakePeer{who: cred.Credentials{PID: 100, UID: 10, GID: 1}, can: k.client, proof: []byte("client")}
	return s, c
}

// only makes sure that no two goroutines are where one may be.
func only(n *atomic.Int32, where string) (leave func()) {
	if n.Add(1) != 1 {
		panic("two goroutines at once in " + where)
	}
	return func() { n.Add(-1) }
}

func (p *fakePipe) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	defer only(&p.readers, "Read")()
	p.line.Lock()
	defer p.line.Unlock()
	p.waited = false
	for {
		if err := p.nothing(); err != syscall.EAGAIN {
			if err != nil {
				return nil, 0, 0, err
			}
			return p.take(pool, into)
		}
		if p.interrupted {
			return nil, 0, 0, os.ErrDeadlineExceeded
		}
		p.waited = true
		p.news.Wait()
	}
}

func (p *fakePipe) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	defer only(&p.readers, "ReadNow")()
	p.line.Lock()
	err = p.nothing()
	if err == nil {
		defer p.line.Unlock()
		return p.take(pool, into)
	}
	p.line.Unlock()
	if err == syscall.EAGAIN && p.none != nil {
		p.none()
	}
	return nil, 0, 0, err
}

// floodEnds is after how many packets a flood ends that nobody has defied.
const floodEnds = 1 << 20

// nothing says why nothing can be read: EAGAIN if there may be something later. The caller holds
// line.
func (p *fakePipe) nothing() error {
	switch {
	case p.closed:
		return net.ErrClosed
	case len(p.queue) > 0 || p.flood != nil && p.flooded < floodEnds:
		return nil
	case p.peer.closed && len(p.held) == 0:
		return io.EOF
	}
	return syscall.EAGAIN
}

// take takes the first packet, in the way of readv(2) past a header. What is left of the buffer is
// rubbish.
func (p *fakePipe) take(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	packet := p.flood
	if len(p.queue) > 0 {
		packet = p.queue[0]
		p.queue = p.queue[1:]
	} else {
		p.flooded++
	}
	p.news.Broadcast()
	if len(packet) > wire.MaxPacket {
		return nil, 0, 0, syscall.EMSGSIZE
	}
	buf = pool.Get().(*pipe.Buffer)
	for i := range 256 {
		buf[i] = 0xAA
	}
	if p.places && len(into) > 0 && len(packet) > wire.HeaderLen {
		copy(buf[:], packet[:wire.HeaderLen])
		placed = copy(into, packet[wire.HeaderLen:])
		copy(buf[wire.HeaderLen+placed:], packet[wire.HeaderLen+placed:])
		return buf, len(packet), placed, nil
	}
	copy(buf[:], packet)
	return buf, len(packet), 0, nil
}

func (p *fakePipe) Waited() bool {
	p.line.Lock()
	defer p.line.Unlock()
	return p.waited
}

func (p *fakePipe) Interrupt() { p.set(func() { p.interrupted = true }) }
func (p *fakePipe) Resume()    { p.set(func() { p.interrupted = false }) }

// set changes something and lets everybody look.
func (p *fakePipe) set(change func()) {
	p.line.Lock()
	defer p.line.Unlock()
	change()
	p.news.Broadcast()
}

func (p *fakePipe) Write(head, body []byte) error {
	locks.MayWait()
	defer only(&p.writers, "Write")()
	if p.tried != nil {
		p.tried()
	}
	if err := p.write(head, body); err != nil {
		return err
	}
	if p.wrote != nil {
		p.wrote()
	}
	return nil
}

func (p *fakePipe) write(head, body []byte) error {
	p.line.Lock()
	defer p.line.Unlock()
	if err := p.full(); err != nil {
		return err
	}
	packet := slices.Concat(head, body)
	if len(packet) == 0 || len(packet) > wire.MaxPacket+1 {
		panic(fmt.Sprintf("packet of %d bytes", len(packet)))
	}
	if !p.forgets {
		p.log = append(p.log, packet)
	}
	if p.peer.holding {
		p.peer.held = append(p.peer.held, packet)
	} else {
		p.peer.queue = append(p.peer.queue, packet)
	}
	p.news.Broadcast()
	return nil
}

// full says why nothing can be written. The caller holds line.
func (p *fakePipe) full() error {
	to := p.peer
	switch {
	case p.closed:
		return net.ErrClosed
	case to.closed:
		return syscall.EPIPE
	case to.capacity < 0, to.capacity > 0 && len(to.queue)+len(to.held) >= to.capacity:
		return syscall.EAGAIN
	}
	return nil
}

func (p *fakePipe) WaitWritable() error {
	locks.MayWait()
	p.line.Lock()
	defer p.line.Unlock()
	for {
		if err := p.full(); err != syscall.EAGAIN {
			return err
		}
		p.news.Wait()
	}
}

func (p *fakePipe) Close() error {
	locks.MayWait()
	p.line.Lock()
	defer p.line.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.closed = true
	p.news.Broadcast()
	return nil
}

func (p *fakePipe) Hangup() error { return p.Close() }

func (p *fakePipe) Connected() bool {
	if p.asked != nil {
		p.asked()
	}
	p.line.Lock()
	defer p.line.Unlock()
	return !p.closed && !p.peer.closed
}

func (p *fakePipe) Proof() ([]byte, error) { return p.proof, nil }

func (p *fakePipe) Identify(proof []byte) (cred.Credentials, pipe.Ability, error) {
	p.proofs = append(p.proofs, slices.Clone(proof))
	return p.who, p.can, p.identify
}

func (p *fakePipe) Expect() error { return nil }

func (p *fakePipe) Opener() (cred.Credentials, error) { return p.who, nil }

// SyscallConn: what these pipes are made of is no descriptor of any table.
func (p *fakePipe) SyscallConn() syscall.RawConn { return number(p.number) }

// A number is what passes for the descriptor of a pipe; 0 for none.
type number uintptr

func (n number) Control(f func(uintptr)) error {
	if n == 0 {
		return errors.ErrUnsupported
	}
	f(uintptr(n))
	return nil
}

func (number) Read(func(uintptr) bool) error  { return errors.ErrUnsupported }
func (number) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

func (p *fakePipe) Answer() error {
	p.set(func() { p.answered = true })
	return nil
}

func (p *fakePipe) Confirmed() bool {
	p.line.Lock()
	defer p.line.Unlock()
	return p.peer.answered && !p.unproved
}

// hold keeps back what is written to this end from now on.
func (p *fakePipe) hold() { p.set(func() { p.holding = true }) }

// letGo lets everything through.
func (p *fakePipe) letGo() {
	p.set(func() { p.queue, p.held, p.holding = append(p.queue, p.held...), nil, false })
}

// limit makes this end full with n packets: 0 is no limit.
func (p *fakePipe) limit(n int) { p.set(func() { p.capacity = n }) }

// isClosed reports whether this end was closed.
func (p *fakePipe) isClosed() bool {
	p.line.Lock()
	defer p.line.Unlock()
	return p.closed
}

// written returns the packets of type t that were written here; 0 means all.
func (p *fakePipe) written(t wire.Type) (packets []wire.Packet) {
	p.line.Lock()
	defer p.line.Unlock()
	for _, b := range p.log {
		packet, err := wire.Parse(b)
		if err != nil {
			panic(err)
		}
		if t == 0 || packet.Type == t {
			packets = append(packets, packet)
		}
	}
	return packets
}

// A fakeSource hands out the pipes that a test puts in.
type fakeSource struct {
	pipes  chan pipe.Pipe
	fail   chan error
	closed chan struct{}
	once   sync.Once
	file   func() error // removes the socket file; nil if there is none
}

func newFakeSource() *fakeSource {
	return &fakeSource{pipes: make(chan pipe.Pipe, 1000), fail: make(chan error, 10), closed: make(chan struct{})}
}

func (s *fakeSource) Unlink() error {
	if s.file == nil {
		return nil
	}
	return s.file()
}

func (s *fakeSource) Suspend() ([]uintptr, []byte, error) { return nil, nil, errors.ErrUnsupported }

func (s *fakeSource) Resume() {}

func (s *fakeSource) Accept() (pipe.Pipe, error) {
	select {
	case <-s.closed:
		return nil, net.ErrClosed
	case err := <-s.fail:
		return nil, err
	case p := <-s.pipes:
		return p, nil
	}
}

func (s *fakeSource) Close() error {
	err := s.Unlink()
	s.once.Do(func() {
		close(s.closed)
		for {
			select {
			case p := <-s.pipes: // the system closes what nobody took
				p.Close()
			default:
				return
			}
		}
	})
	return err
}

func (s *fakeSource) SetUnlinkOnClose(bool) {}
