package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// owed is what the transport itself has to tell the peer (S6), with what there is to it that nobody
// else keeps.
type owed struct {
	sock.Debts

	name    []byte       // with options: that the socket has chosen
	proof   []byte       // with a hello: by what the other side finds this process
	able    pipe.Ability // with ready
	payload [16]byte     // of the packet that is being written
}

// owedPacketLocked returns the packet for p. What a packet says is as of now, whenever the debt was
// noted: a hello may have told some of it meanwhile.
func (c *session) owedPacketLocked(p sock.Payment) wire.Packet {
	o := &c.pen.owed
	switch p.Debt {
	case sock.DebtHello:
		return c.moves.rehelloPacketLocked(p.Moved)
	case sock.DebtReady:
		return wire.Packet{Type: wire.Ready, Payload: append(o.payload[:0], byte(o.able))}
	case sock.DebtMove:
		return wire.Packet{Type: wire.Move, Flags: moveFlags[p.Route], Serial: p.Serial}
	case sock.DebtAck:
		return wire.Packet{Type: wire.Ack, Serial: p.About}
	case sock.DebtRefuse:
		return wire.Packet{Type: wire.Refuse, Flags: reason(p.Why), Serial: p.About}
	case sock.DebtCancel:
		return wire.Packet{Type: wire.Cancel, Serial: p.About}
	case sock.DebtCredit:
		credit := c.in.box.Reported()
		body := wire.CreditBody{Consumed: credit.Consumed, Rights: credit.Rights}
		return wire.Packet{Type: wire.Credit, Payload: body.Append(o.payload[:0])}
	case sock.DebtOptions:
		return wire.Packet{Type: wire.Options, Flags: flag(c.pass, wire.PassCredentials), Serial: p.Serial,
			Name: o.name, Payload: wire.AppendOptions(o.payload[:0], c.out.box.Window())}
	case sock.DebtShutdown:
		return wire.Packet{Type: wire.Shutdown, Flags: shutFlags(p.Halves), Serial: p.Serial}
	}
	return wire.Packet{Type: wire.Bye, Flags: flag(p.Reset, wire.Reset)}
}

// flag returns f if it is set.
func flag(set bool, f uint8) uint8 {
	if set {
		return f
	}
	return 0
}

var moveFlags = [...]uint8{sock.Elsewhere: 0, sock.Itself: wire.Itself, sock.LetGo: wire.Gone}

func shutFlags(h sock.Halves) uint8 {
	return flag(h&sock.ReadHalf != 0, wire.ShutRead) | flag(h&sock.WriteHalf != 0, wire.ShutWrite)
}

// reason is how a packet says what becomes of a datagram that is not queued.
func reason(f sock.Fate) uint8 {
	switch f {
	case sock.Barred:
		return wire.Stranger
	case sock.Severed:
		return wire.Closing
	}
	return 0
}

// fate is what such a packet says.
func fate(reason uint8) sock.Fate {
	switch reason {
	case wire.Stranger:
		return sock.Barred
	case wire.Closing:
		return sock.Severed
	}
	return sock.Refused
}

// helloPacket completes h by what is the same in each hello.
func (c *session) helloPacket(h wire.HelloBody, flags uint8, name string) *wire.Packet {
	h.SocketType = uint8(c.typ)
	h.Socket = c.id
	h.Window = c.out.box.Window()
	h.Rights = c.in.box.Granted()
	if c.pass {
		flags |= wire.PassCredentials
	}
	return &wire.Packet{Type: wire.Hello, Flags: flags, Name: []byte(name), Payload: h.Append(nil)}
}

// rehelloPacketLocked is the hello that is owed.
func (v *moves) rehelloPacketLocked(moved bool) wire.Packet {
	c := v.c
	flags := flag(moved, wire.Moved) | flag(c.server, wire.FromServer)
	return *c.helloPacket(wire.HelloBody{Proof: c.pen.owed.proof}, flags, "")
}

// presentLocked says the hello that was deferred: what is written now is this process's, and not a
// former owner's.
func (v *moves) presentLocked() error {
	c := v.c
	c.mu.Unlock()
	proof, err := c.pipe.Proof()
	c.pen.lock()
	if err != nil {
		return err
	}
	if v.Presents() { // still
		v.greetLocked(proof)
	}
	return nil
}

// greetLocked makes our hello the next thing that is said. The pen is free.
func (v *moves) greetLocked(proof []byte) {
	v.c.pen.owed.proof = proof
	v.Greet()
}
