package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// packetLocked applies one packet of n bytes, of which placed are not in buf but in the buffer of
// the Read that waits. It owns buf.
func (c *session) packetLocked(buf *pipe.Buffer, n, placed int) error {
	p, err := wire.Parse(buf[:n])
	if err == nil && p.Type == wire.Data {
		return c.in.dataLocked(&p, buf, placed)
	}
	if err == nil {
		err = c.adminLocked(&p)
	}
	packets.Put(buf)
	return err
}

// adminLocked applies a packet of the peer's transport. Behind a goodbye an answer is of no
// consequence: a former owner of this end may have said the hello.
func (c *session) adminLocked(p *wire.Packet) error {
	if c.in.box.Left() && (p.Type == wire.Hello || p.Type == wire.Ready) {
		return nil
	}
	switch p.Type {
	case wire.Ack:
		return c.peerAcknowledgesLocked(p.Serial)
	case wire.Credit:
		return c.peerCreditsLocked(p)
	case wire.Ready:
		return c.peerReadyLocked(p)
	case wire.Options:
		return c.peerOptionsLocked(p)
	case wire.Shutdown:
		c.peerShutdownLocked(p)
		return nil
	case wire.Bye:
		c.peerClosedLocked(p.Flags&wire.Reset != 0)
		return nil
	case wire.Refuse:
		return c.above.refusedLocked(p.Serial, fate(p.Flags))
	}
	c.mu.Unlock() // the others concern more than this connection
	defer c.mu.Lock()
	switch p.Type {
	case wire.Cancel:
		return c.above.cancelled(p.Serial)
	case wire.Move:
		return c.moves.peerMoves(p)
	case wire.Hello:
		return c.moves.rehello(p)
	}
	return errUnexpected
}

func (c *session) peerAcknowledgesLocked(serial uint64) error {
	c.turn.servedLocked()
	if c.out.box.Gone() && c.out.box.Outstanding() == 0 {
		return nil // it was severed by a goodbye that overtook us
	}
	err := c.out.box.Ack(serial)
	c.out.settleLocked()
	c.moves.heededLocked()
	return err
}

func (c *session) peerCreditsLocked(p *wire.Packet) error {
	body, err := wire.ParseCredit(p.Payload)
	if err != nil {
		return err
	}
	c.turn.servedLocked()
	return c.out.box.Credit(sock.Credit{Consumed: body.Consumed, Rights: body.Rights})
}

func (c *session) peerOptionsLocked(p *wire.Packet) error {
	window, err := wire.ParseOptions(p.Payload)
	if err == nil {
		err = c.in.box.SetWindow(window)
	}
	if err != nil {
		return err
	}
	if len(p.Name) > 0 {
		c.above.renamedLocked(p.Name)
	}
	c.peer.options(p.Flags&wire.PassCredentials != 0)
	c.pen.creditWhatIsDueLocked() // a smaller window may be full of what has been read
	if p.Serial != 0 {
		c.pen.acknowledgeLocked(p.Serial)
	}
	return nil
}

func (c *session) peerShutdownLocked(p *wire.Packet) {
	if p.Flags&wire.ShutWrite != 0 {
		c.in.box.Finish()
		c.in.cond.Broadcast()
		c.in.discardExportedLocked()
	}
	if p.Flags&wire.ShutRead != 0 {
		c.out.box.Deafen()
		c.out.cond.Broadcast()
		c.out.nudgeGuests()
	}
	if p.Serial != 0 {
		c.pen.acknowledgeLocked(p.Serial)
	}
}

// peerClosedLocked notes that the peer's socket is closed: what it sent can be read, what is sent
// to it is lost.
func (c *session) peerClosedLocked(reset bool) {
	c.pen.awaitLocked()
	c.peer.parts()
	c.out.box.Farewell()
	c.out.returnStraysLocked()
	c.out.settleLocked()
	c.out.cond.Broadcast()
	c.out.nudgeGuests()
	if reset {
		c.in.box.Reset()
	} else {
		c.in.box.Leave()
	}
	c.in.cond.Broadcast()
	c.in.discardExportedLocked()
}

// peerReadyLocked notes what the peer has said it can do, once it has proved which process it is.
func (c *session) peerReadyLocked(p *wire.Packet) error {
	switch counts, err := c.moves.Readies(); {
	case err != nil || !counts:
		return err
	case c.peer.alleged: // it was said to a former owner of this end
		return nil
	case !c.confirmedLocked():
		return errUnproved
	}
	if peer := pipe.Ability(p.Payload[0]); c.server {
		c.agree(c.peer.can, peer)
	} else {
		c.agree(peer, c.peer.can)
	}
	c.out.cond.Broadcast()
	return nil
}

// confirmedLocked asks the pipe, with mu released: only the one who reads it changes what
// peerReadyLocked has looked at.
func (c *session) confirmedLocked() bool {
	c.mu.Unlock()
	defer c.mu.Lock()
	return c.pipe.Confirmed()
}
