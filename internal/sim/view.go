package sim

import (
	"encoding/binary"
	"syscall"

	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/wire"
)

// A view is what a process can do to the one at the other end of a pipe. It satisfies pipe.Process.
type view struct {
	*simproc.View
	own, peer *Process
	at        *end // our own
}

func (p *Process) view(peer *Process, can pipe.Ability, at *end) *view {
	return &view{p.Process.View(peer.Process, can, p.w.Windows), p, peer, at}
}

func (v *view) Pull(theirs uint64) (uintptr, error) {
	v.own.pass(word("pull"))
	ours, err := v.View.Pull(theirs)
	if err == nil {
		v.own.adopt(uint64(ours))
	}
	return ours, err
}

func (v *view) Push(ours uintptr) (uint64, error) {
	v.own.pass(word("push"))
	theirs, err := v.View.Push(ours)
	if err == nil {
		v.leave(theirs, false)
	}
	return theirs, err
}

// leave notes what has been put into the peer.
func (v *view) leave(theirs uint64, socket bool) {
	v.own.w.mu.Lock()
	defer v.own.w.mu.Unlock()
	v.peer.orphans[theirs] = &orphan{by: v.own, from: v.at, socket: socket}
}

func (v *view) TakeBack(theirs uint64) error {
	v.own.pass(word("take back"))
	err := v.View.TakeBack(theirs)
	if err == nil {
		v.own.w.mu.Lock()
		delete(v.peer.orphans, theirs)
		v.own.w.mu.Unlock()
	}
	return err
}

func (v *view) ExportSocket(ours uintptr) ([]byte, error) {
	v.own.pass(word("export"))
	d, err := v.View.ExportSocket(ours)
	if err == nil {
		v.leave(binary.LittleEndian.Uint64(d), true)
	}
	return d, err
}

func (v *view) ImportSocket(description []byte) (uintptr, error) {
	v.own.pass(word("import"))
	if v.own.stale(description) {
		return 0, syscall.EINVAL
	}
	ours, err := v.View.ImportSocket(description)
	if err == nil {
		v.own.adopt(uint64(ours))
	}
	return ours, err
}

// An orphan is what has been put into a table, and not been looked at by its new owner. Guarded by
// World.mu.
type orphan struct {
	by     *Process
	from   *end   // the end of whoever has put it there
	serial uint64 // of its message, once that is written
	socket bool   // exported
}

// sweep closes ends that have been put into a process, and of which it was never told: by one that
// was killed, or over a pipe that was cut. Their connections last until that process ends. It
// reports whether there were any.
func (w *World) sweep() (any bool) {
	type stray struct {
		p *Process
		v uint64
	}
	w.mu.Lock()
	var strays []stray
	for _, p := range w.procs {
		for v, o := range p.orphans {
			if (o.by.dead || o.from.on.broken) && !p.dead {
				strays = append(strays, stray{p, v})
			}
		}
	}
	w.mu.Unlock()
	for _, s := range strays {
		if f := s.p.Refers(uintptr(s.v)); f != nil && f.Object() != nil {
			s.p.Process.Close(uintptr(s.v), pipeKind)
			any = true
		}
	}
	return any
}

// stale reports whether a socket was exported by somebody who has closed his end since, and so may
// have closed the socket: then it cannot be imported.
func (p *Process) stale(description []byte) bool {
	if len(description) < 8 {
		return false
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	o := p.orphans[binary.LittleEndian.Uint64(description)]
	return o != nil && (o.from.on.broken || o.from.released)
}

// named returns the values that a packet gives to its reader. Those of sockets that were exported
// with a message that was given up are in none.
func named(p wire.Packet) (values []uint64) {
	for block := p.Ancillary; len(block) > 0; {
		r, rest, err := wire.ParseRecord(block)
		switch {
		case err != nil:
			return values
		case r.Owner == wire.Exported:
			values = append(values, binary.LittleEndian.Uint64(r.Extra))
		case r.Owner != wire.Sender:
			values = append(values, r.Value)
		}
		block = rest
	}
	return values
}

// followOrphans notes what a packet that h writes says of them: what it announces, and that they
// have been looked at.
func (h *handle) followOrphans(data []byte) {
	p, err := wire.Parse(data)
	if err != nil {
		return
	}
	w := h.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.Type == wire.Ack && (h.p.dead || h.e.parted): // what has not been acknowledged before a goodbye is taken back
	case p.Type == wire.Ack:
		for v, o := range h.p.orphans {
			if o.from == h.e.peer && o.serial != 0 && o.serial <= p.Serial && !h.p.full {
				w.failLocked("left behind", "%s has acknowledged message %d, and not looked at %#x that came with it", h.p.name, p.Serial, v)
			}
		}
	case p.Type == wire.Bye:
		h.e.parted = true
	case p.Records > 0 && h.other != nil:
		for _, v := range named(p) {
			o := h.other.peer.orphans[v]
			if o != nil && o.from == h.e && o.by == h.p && o.serial == 0 {
				o.serial = max(p.Serial, 1)
			}
		}
	}
}
