package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/wire"
)

// A messagePipe is a pipe of the simulator. Its ends are files: descriptors for them can be
// duplicated, and an end is closed with the last one.
type messagePipe struct {
	w      *World
	number int
	server end
	client end
	quota  int // with so many bytes in it, each way, it is full; it takes the last packet whole
	broken bool
}

// An end of a pipe. Guarded by World.mu.
type end struct {
	on       *messagePipe
	peer     *end
	opener   *Process // who created or opened it
	queue    []packet // that can be read here
	bytes    int      // in queue
	side     *Side    // whose it is
	released bool
	parted   bool     // goodbye has been said here
	answered *Process // who has shown at this end that he is who he says
}

// A packet knows who has written it, as the kernel does.
type packet struct {
	data []byte
	at   *room // nil if it has none
	from *Process
}

// newPipe makes a pipe whose ends belong to nobody yet.
func (w *World) newPipe(server, client *Process, quota int) *messagePipe {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &messagePipe{w: w, number: len(w.pipes), quota: quota}
	p.server = end{on: p, peer: &p.client, opener: server}
	p.client = end{on: p, peer: &p.server, opener: client}
	w.pipes = append(w.pipes, p)
	return p
}

// cut breaks the pipe. The caller holds mu.
func (p *messagePipe) cut() {
	p.broken = true
	p.server.queue, p.client.queue = nil, nil
}

// Released is called when nobody has the end any more.
func (e *end) Released() {
	e.on.w.mu.Lock()
	defer e.on.w.mu.Unlock()
	e.released = true
}

// A handle is an end, open in a process. It satisfies pipe.Pipe, and panics if the engine breaks
// that contract.
type handle struct {
	p *Process
	v uintptr
	e *end

	// Guarded by World.mu.
	interrupted bool
	closed      bool
	waited      bool
	last        *Process // who wrote the packet that was read last
	other       *view    // on the process at the other end, once it has been identified

	readers, writers atomic.Int32
}

// pipeKind is what an end is in a table.
var pipeKind = descriptor.EndKind(descriptor.Unix)

// open makes e a descriptor of p.
func (p *Process) open(e *end) (*handle, error) {
	v, err := p.OpenObject(pipeKind, e)
	if err != nil {
		return nil, err
	}
	return &handle{p: p, v: v, e: e}, nil
}

// only makes sure that no two goroutines are where one may be.
func only(n *atomic.Int32, where string) (leave func()) {
	if n.Add(1) != 1 {
		panic("two goroutines at once in " + where)
	}
	return func() { n.Add(-1) }
}

// nothing says why nothing can be read: EAGAIN if there may be something later. The caller holds
// mu.
func (h *handle) nothing() error {
	switch {
	case h.closed || h.p.dead:
		return net.ErrClosed
	case h.e.on.broken:
		return syscall.EIO
	case len(h.e.queue) > 0:
		return nil
	case h.e.peer.released:
		return io.EOF
	}
	return syscall.EAGAIN
}

// reads is the gate of a read.
func (h *handle) reads() what { return deed{before: "read ", on: h.e.on.number} }

func (h *handle) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	defer only(&h.readers, "Read")()
	w := h.p.w
	w.mu.Lock()
	h.waited = h.nothing() == syscall.EAGAIN
	through := h.interrupted && w.Moves
	w.mu.Unlock()
	if !through {
		w.gate(h.p, h.reads(), func() bool { return h.interrupted || h.nothing() != syscall.EAGAIN })
	}
	buf, n, placed, err = h.take(pool, into)
	if err == syscall.EAGAIN {
		err = os.ErrDeadlineExceeded
	}
	return buf, n, placed, err
}

func (h *handle) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	defer only(&h.readers, "ReadNow")()
	if w := h.p.w; !w.Coarse {
		w.gate(h.p, deed{"read ", h.e.on.number, " now"}, always)
	}
	return h.take(pool, into)
}

// take takes the first packet, in the way of readv(2) past a header. What is left of the buffer is
// rubbish.
func (h *handle) take(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	w := h.p.w
	w.mu.Lock()
	err = h.nothing()
	var does what
	if err == nil {
		does = passing("read", h.e.on, h.e.queue[0].data)
	}
	w.mu.Unlock()
	if err != nil {
		return nil, 0, 0, err
	}
	w.step(h.p, does)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := h.nothing(); err != nil { // what has gone wrong just now
		return nil, 0, 0, err
	}
	e := h.e
	first := e.queue[0]
	e.queue = e.queue[1:]
	e.bytes -= len(first.data)
	h.last = first.from
	defer vacate(first.at)
	buf = pool.Get().(*pipe.Buffer)
	for i := range 64 {
		buf[i] = 0xAA
	}
	data := first.data
	if !w.Windows && len(into) > 0 && len(data) > wire.HeaderLen {
		copy(buf[:], data[:wire.HeaderLen])
		placed = copy(into, data[wire.HeaderLen:])
		copy(buf[wire.HeaderLen+placed:], data[wire.HeaderLen+placed:])
		return buf, len(data), placed, nil
	}
	copy(buf[:], data)
	return buf, len(data), 0, nil
}

func (h *handle) Waited() bool {
	h.p.w.mu.Lock()
	defer h.p.w.mu.Unlock()
	return h.waited
}

func (h *handle) Interrupt() {
	w := h.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	h.interrupted = true
	if w.Moves { // the engine may wait for its reader with a lock held
		w.letThrough(h.p, h.reads())
	}
}

func (h *handle) Resume() {
	h.p.w.mu.Lock()
	defer h.p.w.mu.Unlock()
	h.interrupted = false
}

// full says why nothing can be written. The caller holds mu.
func (h *handle) full() error {
	to := h.e.peer
	switch {
	case h.closed || h.p.dead:
		return net.ErrClosed
	case h.e.on.broken:
		return syscall.EIO
	case to.released:
		return syscall.EPIPE
	case to.bytes >= h.e.on.quota:
		return syscall.EAGAIN
	}
	return nil
}

func (h *handle) Write(head, body []byte) error {
	locks.MayWait()
	defer only(&h.writers, "Write")()
	if n := len(head) + len(body); n == 0 || n > wire.MaxPacket {
		panic(fmt.Sprintf("packet of %d bytes", n))
	}
	data, at := compose(head, body)
	w := h.p.w
	h.p.pass(passing("write", h.e.on, data))
	w.mu.Lock()
	err := h.full()
	if err == nil {
		h.e.peer.bytes += len(data) // also while it is held back
		if h.p.suspended {
			h.p.unsent[h.e.peer] += len(data)
		}
		h.e.wrote(data)
	}
	w.mu.Unlock()
	if err != nil {
		vacate(at)
		return err
	}
	h.followOrphans(data)
	h.p.effect(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !h.e.on.broken && !h.e.peer.released {
			h.e.peer.queue = append(h.e.peer.queue, packet{data, at, h.p})
		}
	})
	return nil
}

// wrote tells the side whose the end is how far a message has come. The caller holds mu.
func (e *end) wrote(data []byte) {
	if p, err := wire.Parse(data); err == nil && p.Type == wire.Data && p.Flags&wire.Luggage == 0 && e.side != nil {
		e.side.wrote(len(p.Payload))
	}
}

func (h *handle) WaitWritable() error {
	locks.MayWait()
	w := h.p.w
	w.gate(h.p, deed{before: "room in ", on: h.e.on.number}, func() bool { return h.full() != syscall.EAGAIN })
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := h.full(); err != syscall.EAGAIN {
		return err
	}
	return nil
}

func (h *handle) Close() error {
	locks.MayWait()
	return h.end("close pipe ", func() {})
}

func (h *handle) Hangup() error {
	locks.MayWait()
	return h.end("hang up pipe ", func() {
		h.p.w.mu.Lock()
		defer h.p.w.mu.Unlock()
		h.e.released = h.e.released || !h.p.dead
	})
}

// end closes the handle, after what else is done to its end.
func (h *handle) end(how string, before func()) error {
	w := h.p.w
	w.mu.Lock()
	if h.closed {
		w.mu.Unlock()
		return net.ErrClosed
	}
	h.closed = true
	if w.Moves {
		w.letThrough(h.p, h.reads())
	}
	w.mu.Unlock()
	h.p.pass(deed{before: how, on: h.e.on.number})
	h.p.effect(func() {
		before()
		h.p.Took(h.v)
		h.p.Process.Close(h.v, pipeKind)
	})
	return nil
}

func (h *handle) Connected() bool {
	h.p.pass(deed{before: "connected ", on: h.e.on.number})
	h.p.w.mu.Lock()
	defer h.p.w.mu.Unlock()
	return !h.closed && !h.p.dead && !h.e.on.broken && !h.e.released && !h.e.peer.released
}

func (h *handle) Proof() ([]byte, error) {
	if !h.p.w.Windows {
		return nil, nil
	}
	return h.p.proof(), nil
}

// Identify believes the kernel, and on Windows a number only if its owner has written the hello.
func (h *handle) Identify(proof []byte) (cred.Credentials, pipe.Ability, error) {
	w := h.p.w
	h.p.pass(word("identify"))
	w.mu.Lock()
	who := h.last
	known := !w.Windows || len(proof) == 4 && w.withPID(int(binary.LittleEndian.Uint32(proof))) == who
	can := w.ability(h.p.standing, who.standing)
	if who.dead {
		can = 0
	}
	w.mu.Unlock()
	if !known {
		return cred.Credentials{}, 0, syscall.EPERM
	}
	other := h.p.view(who, can, h.e)
	w.mu.Lock()
	h.other = other
	w.mu.Unlock()
	return who.credentials(), can, nil
}

func (h *handle) Answer() error {
	h.p.effect(func() {
		h.p.w.mu.Lock()
		defer h.p.w.mu.Unlock()
		h.e.answered = h.p
	})
	return nil
}

func (h *handle) Confirmed() bool {
	w := h.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.Windows || h.e == &h.e.on.client || h.other != nil && h.e.peer.answered == h.other.peer
}

func (h *handle) Expect() error { return nil }

func (h *handle) Opener() (cred.Credentials, error) { return h.e.peer.opener.credentials(), nil }

func (h *handle) SyscallConn() syscall.RawConn { return raw{h} }

// raw shows the descriptor of a handle.
type raw struct{ h *handle }

func (r raw) Control(f func(uintptr)) error {
	r.h.p.w.mu.Lock()
	closed := r.h.closed
	r.h.p.w.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	f(r.h.v)
	return nil
}

func (raw) Read(func(uintptr) bool) error  { return syscall.ENOTSUP }
func (raw) Write(func(uintptr) bool) error { return syscall.ENOTSUP }

// The other process, which is nobody until it has been identified.

func (h *handle) view() *view {
	h.p.w.mu.Lock()
	defer h.p.w.mu.Unlock()
	return h.other
}

func (h *handle) Pull(theirs uint64) (uintptr, error) {
	if v := h.view(); v != nil {
		return v.Pull(theirs)
	}
	return 0, syscall.EPERM
}

func (h *handle) Push(ours uintptr) (uint64, error) {
	if v := h.view(); v != nil {
		return v.Push(ours)
	}
	return 0, syscall.EPERM
}

func (h *handle) TakeBack(theirs uint64) error {
	if v := h.view(); v != nil {
		return v.TakeBack(theirs)
	}
	return syscall.EPERM
}

func (h *handle) ExportsSockets() bool { return h.p.w.Windows }

func (h *handle) ExportSocket(ours uintptr) ([]byte, error) {
	if v := h.view(); v != nil {
		return v.ExportSocket(ours)
	}
	return nil, syscall.EPERM
}

func (h *handle) ImportSocket(description []byte) (uintptr, error) {
	if v := h.view(); v != nil {
		return v.ImportSocket(description)
	}
	return 0, syscall.EPERM
}
