package endpoint

import (
	"errors"
	"net"
	"os"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Write sends bytes on a stream, and else one record.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) == 0 && c.typ == sock.Stream {
		return 0, c.writable()
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.pieces(b, wire.MaxPayload, nil)
	return n, c.part(c.blame(err))
}

// part discards what a datagram socket has not read when it finds out that its peer is gone, which is err: the kernel purges its queue
// (unix_dgram_disconnected).
func (c *Conn) part(err error) error {
	if c.typ == sock.Datagram && c.link == nil && err == syscall.ECONNREFUSED {
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		for c.in.paused { // what is in the queue is being sent
			c.in.cond.Wait()
		}
		c.in.box.Keep(0)
	}
	return err
}

// blame returns what the kernel would say in the place of err, if the peer turns out to be closed. Of a connection of records that
// it has reset whoever comes first is told, reading or writing, before anything else (unix_seqpacket_sendmsg); and a datagram
// socket that is closed does not matter as one that has shut down reading.
func (c *Conn) blame(err error) error {
	if err == nil || c.typ == sock.Stream || err == net.ErrClosed || err == os.ErrDeadlineExceeded {
		return err
	}
	c.catchUp()
	if c.typ == sock.Datagram {
		return c.blameGone(err)
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.box.ResetFirst() {
		return c.in.end()
	}
	return err
}

func (c *Conn) blameGone(err error) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err == syscall.EPIPE && c.out.box.Gone() && !c.out.box.Silent() {
		return c.out.gone()
	}
	return err
}

// writable says why a write would fail whatever it sent. That the peer has closed may be in the pipe still.
func (c *Conn) writable() error {
	c.catchUp()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.stopped()
}

// stopped says why no write can go on: the order is that of package net.
func (o *outbox) stopped() error {
	switch {
	case o.closed:
		return net.ErrClosed
	case o.deadline.expired:
		return os.ErrDeadlineExceeded
	case o.box.Silent():
		return syscall.EPIPE
	case o.box.Gone():
		return o.gone()
	case o.box.Broken():
		return syscall.EPIPE
	}
	return nil
}

// gone says that the peer is gone. A datagram socket has none from then on (row 120).
func (o *outbox) gone() error {
	switch {
	case !o.datagram:
		return syscall.EPIPE
	case o.apart:
		return syscall.ENOTCONN
	}
	o.apart = true
	return syscall.ECONNREFUSED
}

// Send sends b and files as one message: see transport.Conn.
func (c *Conn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	if to != nil {
		return 0, syscall.EISCONN // row 147
	}
	if len(files) == 0 {
		return c.Write(b)
	}
	if len(b) == 0 && c.typ == sock.Stream {
		return 0, syscall.EINVAL
	}
	for {
		m, err := c.gather(files)
		switch {
		case err == errCycle:
			return len(b), nil
		case err != nil:
			return 0, c.part(c.blame(c.precedence(len(b), files, err)))
		}
		n, err := c.sendWith(b, m)
		switch {
		case err == errShifted:
			continue // to whoever has the other end now
		case m.transfer == nil:
			return 0, c.part(c.blame(err))
		}
		n, err = c.acknowledged(m.transfer, n, err)
		m.arrived()
		return n, c.part(err)
	}
}

// message is what has to be acknowledged of one message: its descriptors, or that a datagram has been queued.
type message struct {
	*rights.Outgoing                // nil if it has no descriptors
	parcel           *parcel        // of its descriptors that are ends of ours; nil if none is
	transfer         *sock.Transfer // once it has been written
	room             sock.Transfer  // for that
}

// records returns the number of descriptors.
func (m *message) records() int {
	if m == nil || m.Outgoing == nil {
		return 0
	}
	return m.Len()
}

// weight is what it takes of the credit for descriptors, with what its ends take along.
func (m *message) weight() int {
	n := m.records()
	if n > 0 {
		n += m.parcel.weight()
	}
	return n
}

// maxLen bounds the length of its records.
func (m *message) maxLen() int {
	if m.Outgoing == nil {
		return 0
	}
	return m.MaxLen()
}

// parked returns what is to be released when m has arrived.
func (m *message) parked() sock.Parked {
	switch {
	case m.Outgoing == nil:
		return nil
	case m.parcel != nil:
		return m.parcel
	}
	return m.Outgoing
}

// precedence returns what the kernel would find out before that the socket cannot send, which is err: a file that is not open, a
// record that is too long.
func (c *Conn) precedence(n int, files []transport.File, err error) error {
	switch err {
	case syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOTCONN:
	default:
		return err
	}
	first := badFile(c.table, files)
	if first == nil && c.typ != sock.Stream && n > c.maxMessage() {
		first = syscall.EMSGSIZE
	}
	if first == nil {
		return err
	}
	if err == syscall.ECONNREFUSED {
		c.out.mu.Lock()
		c.out.apart = false // it has not been found out
		c.out.mu.Unlock()
	}
	return first
}

// badFile returns the error of the first file that is not open.
func badFile(t descriptor.Table, files []transport.File) error {
	for i, f := range files {
		if f.End != nil {
			continue
		}
		if _, err := t.Kind(f.Value); err != nil {
			return &descriptor.IndexError{Index: i, Err: err}
		}
	}
	return nil
}

// undo takes back a message that has not been written. The caller holds writing, so that no other one is loaded.
func (c *Conn) undo(m *message) {
	if m.Outgoing == nil {
		return
	}
	exported := m.Exported() || m.parcel.exported()
	m.TakeBack()
	m.parcel.undo()
	c.unload()
	if exported {
		c.ended(syscall.ECONNABORTED) // what was exported cannot be taken back (P4)
	}
}

// gather looks at files, and gets the ends among them ready to move. On an error nothing has happened.
func (c *Conn) gather(files []transport.File) (*message, error) {
	route, err := c.sendRoute()
	if err != nil {
		return nil, err
	}
	m := &message{Outgoing: rights.NewOutgoing(c.table, c.pipe, route, len(files))}
	for i, f := range files {
		if f.End == nil {
			err = m.Add(f.Value)
		} else {
			err = c.addEnd(m, route, f.End)
		}
		if err != nil {
			return nil, &descriptor.IndexError{Index: i, Err: err}
		}
	}
	if err := m.parcel.pack(m.Outgoing); err != nil {
		return nil, err
	}
	return m, nil
}

// load duplicates the descriptors of m for the peer: errShifted if the peer's end moves away from where they would go. The caller holds
// writing.
func (c *Conn) load(m *message) error {
	if m.Outgoing == nil {
		return nil
	}
	c.out.mu.Lock()
	if !c.out.ready {
		c.out.mu.Unlock()
		return errShifted
	}
	c.out.shift.loaded = true
	c.out.mu.Unlock()
	err := m.Duplicate()
	if err == nil {
		err = m.parcel.duplicate()
	}
	return err
}

// unload notes that no message is loaded that has not been written.
func (c *Conn) unload() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.unloaded()
}

// unloaded is unload for a caller that holds out.mu.
func (c *Conn) unloaded() {
	c.out.shift.loaded = false
	c.letGo()
	c.out.cond.Broadcast()
}

// sendRoute returns how descriptors travel to the peer. It waits until the peer is ready; EPERM if nobody can duplicate.
func (c *Conn) sendRoute() (rights.Route, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	w := wait{c: c}
	defer w.end()
	for {
		if err := c.out.stopped(); err != nil {
			return rights.Route{}, err
		}
		if c.out.ready {
			break
		}
		w.more()
	}
	if c.out.sendRoute.Way == rights.Nobody {
		return rights.Route{}, syscall.EPERM
	}
	return c.out.sendRoute, nil
}

// sendWith writes b with the descriptors of m beside its first byte. If nothing has been written m has no transfer, and has been taken back.
func (c *Conn) sendWith(b []byte, m *message) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err = c.load(m); err == nil {
		n, err = c.pieces(b, wire.MaxPayload-m.MaxLen(), m)
	}
	if m.transfer == nil {
		c.undo(m)
	}
	return n, err
}

// acknowledged waits until the peer has adopted the descriptors of a message of which n bytes have been written; err is what
// stopped the rest, if anything did.
func (c *Conn) acknowledged(t *sock.Transfer, n int, err error) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	w := wait{c: c}
	defer w.end()
	for t.Fate == sock.Written {
		stop := err
		switch {
		case c.out.closed:
			stop = net.ErrClosed
		case c.out.deadline.expired:
			stop = os.ErrDeadlineExceeded
		}
		if stop != nil {
			t.Fate = sock.Unknown // the copies stay parked
			return n, stop
		}
		w.more()
	}
	if t.Fate == sock.Severed {
		return 0, c.out.gone()
	}
	return n, err
}

// pieces writes b, with the descriptors of m (if not nil) in the first packet, whose payload is at most first bytes. The caller holds
// writing. On a stream each piece waits for room in the window, and n tells how far it came; a record waits
// once, and then goes whole (S4).
func (c *Conn) pieces(b []byte, first int, m *message) (n int, err error) {
	if c.typ != sock.Stream && len(b) > c.maxMessage() {
		return 0, c.tooLong()
	}
	name, err := c.signature()
	if err != nil {
		return 0, err
	}
	begun := false // only the end of the connection stops it
	if m != nil && m.parcel != nil {
		if err := c.sendLuggage(m); err != nil {
			return 0, err
		}
		begun = true
	}
	for limit := first - len(name); ; limit = wire.MaxPayload {
		p := wire.Packet{Type: wire.Data, Payload: b[n:]}
		switch {
		case n > 0 && c.typ != sock.Stream:
			p.Flags = wire.Continued
		case n == 0:
			p.Name = name // none on a stream
		}
		if limit = c.piece(limit); len(p.Payload) > limit {
			p.Payload = p.Payload[:limit]
			if c.typ != sock.Stream {
				p.Flags |= wire.More
			}
		}
		if err := c.put(&p, m, begun); err != nil {
			if c.typ != sock.Stream {
				n = 0 // a record goes whole or not at all
			}
			return n, err
		}
		m, begun = nil, c.typ != sock.Stream
		if n += len(p.Payload); n == len(b) {
			return n, nil
		}
	}
}

// tooLong is EMSGSIZE, but for what package net finds out before it asks the kernel.
func (c *Conn) tooLong() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	switch {
	case c.out.closed:
		return net.ErrClosed
	case c.out.deadline.expired:
		return os.ErrDeadlineExceeded
	}
	return syscall.EMSGSIZE
}

// signature is the name of the sender that a message begins with, on a link. A socket of another kind that wants credentials chooses a
// name when it first sends, and tells the peer before anything else (row 75). The caller holds writing.
func (c *Conn) signature() ([]byte, error) {
	if c.link != nil {
		return c.link.name, nil
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	o := &c.out
	switch {
	case !o.pass || o.autobind == nil:
		return nil, nil
	case o.closed:
		return nil, net.ErrClosed
	case o.deadline.expired:
		return nil, os.ErrDeadlineExceeded
	}
	name, bound, err := o.autobind()
	if err != nil {
		return nil, err
	}
	o.owed.name, o.bound, o.autobind = []byte(name), bound, nil
	o.owed.note(debtOptions)
	c.pay()
	return nil, nil
}

// piece bounds a piece of at most limit bytes: a stream is cut so that two pieces fit into the window.
func (c *Conn) piece(limit int) int {
	if c.typ != sock.Stream {
		return limit
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return min(limit, c.out.box.MaxPiece())
}

func (c *Conn) maxMessage() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.box.MaxMessage()
}

// put waits for room and writes one Data packet, with the descriptors of m if that is not nil. If its message has begun, only the
// end of the connection stops it.
func (c *Conn) put(p *wire.Packet, m *message, begun bool) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	weight := m.weight()
	w := wait{c: c}
	defer w.end()
	for {
		if err := c.out.stopped(); err != nil && !(begun && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		if !begun && weight > 0 && !c.out.ready {
			return errShifted
		}
		c.pay()
		if !c.out.full && !c.out.shift.stops(begun) && (begun || c.out.box.Room(weight)) {
			switch err := c.putNow(p, m); err {
			case nil:
				return nil
			case syscall.EAGAIN: // a flusher waits
			case syscall.EPIPE:
				return c.out.gone()
			default:
				return err
			}
		}
		w.more()
	}
}

// putNow writes one Data packet. The caller holds out.mu and has found room.
func (c *Conn) putNow(p *wire.Packet, m *message) error {
	if c.out.pass || c.out.peerPass || c.link != nil && c.link.pass {
		p.Flags |= wire.Credentials
	}
	luggage := p.Flags&wire.Luggage != 0
	if !luggage && m.records() > 0 && p.Ancillary == nil {
		var err error
		if p.Ancillary, err = m.Records(); err != nil {
			return err
		}
		p.Records = m.Len()
	}
	if m != nil {
		p.Serial = c.out.box.NextSerial()
	}
	if err := c.write(p); err != nil {
		return err
	}
	c.out.box.Sent(sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: luggage})
	c.out.shift.begun = p.Flags&(wire.More|wire.Luggage) != 0
	if m != nil && !luggage {
		m.room = sock.Transfer{}
		m.transfer = &m.room
		c.out.box.Track(m.transfer, m.parked())
		c.unloaded()
	}
	return nil
}

// write puts a packet into the pipe. The caller holds out.mu. EAGAIN: the pipe is full, and a flusher has been started; another error:
// the connection is severed.
func (c *Conn) write(p *wire.Packet) error {
	if c.out.severed {
		return syscall.EPIPE
	}
	c.out.head = p.AppendHead(c.out.head[:0])
	err := c.pipe.Write(c.out.head, p.Payload)
	if cap(c.out.head) > keepHead {
		c.out.head = nil
	}
	switch {
	case err == nil:
		c.out.packets++
		return nil
	case errors.Is(err, syscall.EAGAIN):
		c.out.full = true
		go c.flush()
		return syscall.EAGAIN
	}
	c.out.lose(err)
	return syscall.EPIPE
}

// keepHead bounds what an idle connection keeps for the head of its next packet.
const keepHead = 256

// lose ends sending because the pipe says err. If the other end is closed, what it has said before is in the pipe still, and decides
// about what is unacknowledged: see ended and peerClosed. The caller holds mu.
func (o *outbox) lose(err error) {
	if !errors.Is(err, syscall.EPIPE) {
		o.sever()
		return
	}
	o.box.Lose()
	o.silence()
}

// sever ends sending. The caller holds mu.
func (o *outbox) sever() {
	o.box.Sever()
	o.silence()
}

// silence wakes whoever waits to send, or to be acknowledged. The caller holds mu.
func (o *outbox) silence() {
	o.severed = true
	o.cond.Broadcast()
	o.nudgeGuests()
}

// nudgeGuests makes ends look around that are being moved over this connection. The caller holds mu.
func (o *outbox) nudgeGuests() {
	for _, d := range o.shift.hosted {
		for _, e := range d.guests {
			go e.nudge() // it has locks of its own
		}
	}
}

// flush waits until the pipe has room, pays what is owed, and lets the writers go on.
func (c *Conn) flush() {
	err := c.pipe.WaitWritable()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.full = false
	if err != nil {
		c.out.lose(err)
	}
	c.pay()
	c.wakeWrites()
}
