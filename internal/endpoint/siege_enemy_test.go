package endpoint_test

import (
	"encoding/binary"
	"syscall"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A script is what a fuzzer makes the enemy and the user do: each step begins with a byte that
// chooses it, and takes its numbers from what follows.
type script struct{ rest []byte }

func (s *script) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// number is small, or any.
func (s *script) number() uint64 {
	b := s.byte()
	if b < 0xF0 {
		return uint64(b)
	}
	var raw [8]byte
	s.rest = s.rest[copy(raw[:], s.rest):]
	return binary.LittleEndian.Uint64(raw[:])
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.rest))
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

// run plays the script to its end.
func (s *siege) run() {
	for steps := 0; len(s.script.rest) > 0 && steps < 100; steps++ {
		s.step()
		synctest.Wait()
		s.bounded()
	}
}

// What a step can be. Those from toHandle on are about a pipe, which the next byte chooses.
const (
	toAct    byte = iota // the user does something; some more values mean the same
	toSleep  byte = iota + 4
	toLimit       // how many descriptors there is room for
	toRename      // the enemy's name leads to another socket
	toKnock       // the enemy comes in by a door
	toHandle
	toGreet
	toListen
	toMoveIn
	toSayRaw
	toSayData
	toSayFiles
	toSayAck byte = iota + 5
	toSayCredit
	toSayOptions
	toSayEnd
	toSayReady
	toSayHello
	toSayMove
	stepsEnd
)

// step is one thing that happens.
func (s *siege) step() {
	op := s.script.byte() % stepsEnd
	switch {
	case op < toSleep:
		s.act()
	case op == toSleep:
		time.Sleep(time.Duration(s.script.byte()) * 10 * time.Millisecond)
	case op == toLimit:
		s.victim.Limit(s.victim.Len() + int(s.script.byte()))
	case op == toRename:
		s.place = uint64(s.script.byte())
	case op == toKnock:
		s.knock()
	default:
		if m := s.mouthOf(s.script.byte()); m != nil {
			s.attend(op, m)
		}
	}
}

// attend is a step that is about a pipe.
func (s *siege) attend(op byte, m *mouth) {
	switch op {
	case toHandle:
		s.handle(m)
	case toGreet:
		s.greet(m)
	case toListen:
		s.listen(m)
	case toMoveIn:
		s.moveIn(m)
	case toSayRaw:
		s.sayRaw(m, s.script.bytes(int(s.script.byte())))
	default:
		s.say(m, s.packet(op, m))
	}
}

func (s *siege) knock() {
	s.mu.Lock()
	var d *door
	if n := int(s.script.byte()); len(s.doors) > 0 && len(s.mouths) < most {
		d = s.doors[n%len(s.doors)]
	}
	s.mu.Unlock()
	if d != nil {
		d.knock()
	}
}

// handle does something with a pipe that is no packet.
func (s *siege) handle(m *mouth) {
	switch b := s.script.byte(); b % 4 {
	case 0:
		m.Close()
	case 1:
		m.limit(int(b / 4)) // 0 is no limit
	case 2:
		m.set(func() { m.answered = b&4 != 0 })
	case 3:
		m.peer.set(func() { m.peer.identify = []error{nil, syscall.EACCES}[b/4%2] })
	}
}

// greet is all that an honest peer says when a connection begins, or goes on elsewhere.
func (s *siege) greet(m *mouth) {
	m.Answer()
	h, flags := s.hello(m), uint8(0)
	if m.server {
		h.Ability, flags = uint8(s.kin.client), wire.FromServer
	}
	s.say(m, wire.Packet{Type: wire.Hello, Flags: flags, Payload: h.Append(nil)})
	synctest.Wait()
	if !m.server {
		s.say(m, wire.Packet{Type: wire.Ready, Payload: []byte{uint8(s.kin.client)}})
	}
}

func (s *siege) hello(m *mouth) wire.HelloBody {
	return wire.HelloBody{SocketType: uint8(m.account.typ), Window: sock.DefaultWindow, Rights: 1000, Socket: uint64(m.number)}
}

// listen hears what the victim has said, and answers as an honest peer would, if the script wants
// that.
func (s *siege) listen(m *mouth) {
	var heard [][]byte
	m.set(func() { heard, m.queue = m.queue, nil })
	for _, b := range heard {
		p, err := wire.Parse(b)
		if err != nil {
			s.t.Errorf("the victim has said %x: %v", b, err)
			continue
		}
		m.last = max(m.last, p.Serial)
		if p.Type == wire.Data && p.Flags&wire.Luggage == 0 {
			m.consumed += sock.Cost(len(p.Payload))
		}
	}
	how := s.script.byte()
	if how&1 != 0 && m.last > 0 {
		s.say(m, wire.Packet{Type: wire.Ack, Serial: m.last})
		m.last = 0
	}
	if how&2 != 0 {
		s.say(m, credit(m.consumed, 5000))
	}
}

// say says a packet.
func (s *siege) say(m *mouth, p wire.Packet) { s.sayRaw(m, p.Append(nil)) }

// sayRaw says bytes, and books what a reader must see of them. One who is trusted does not name
// what is the victim's own: see docs/ARCHITECTURE.md.
func (s *siege) sayRaw(m *mouth, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := wire.Parse(b)
	said := m.account.clone()
	if err == nil && p.Type == wire.Data && p.Flags&wire.Luggage == 0 {
		m.account.note(&p, s.named(p))
	}
	if len(b) == 0 || err == nil && s.trusting() && !s.honest(p) || m.Write(b[:min(len(b), wire.MaxPacket+1)], nil) != nil {
		*m.account = said // nobody is there any more, or the pipe is full
	}
}

// honest reports whether p names nothing in the victim's table but what the enemy has put there,
// and named for the first time.
func (s *siege) honest(p wire.Packet) bool {
	rest := p.Ancillary
	for range p.Records {
		var r wire.Record
		r, rest, _ = wire.ParseRecord(rest)
		if r.Owner != wire.Receiver && r.Owner != wire.End || r.Value == 0 {
			continue
		}
		if !s.pushed[r.Value] {
			return false
		}
		s.pushed[r.Value] = false
	}
	return true
}

// named returns the files that the records of a packet name; nil for one that nothing is known of.
func (s *siege) named(p wire.Packet) []*simproc.File {
	files := make([]*simproc.File, p.Records)
	rest := p.Ancillary
	for i := range files {
		var r wire.Record
		r, rest, _ = wire.ParseRecord(rest)
		switch r.Owner {
		case wire.Sender:
			files[i] = s.enemy.Refers(uintptr(r.Value))
		case wire.Receiver:
			files[i] = s.victim.Refers(uintptr(r.Value))
		}
	}
	return files
}

// packet is what a step says.
func (s *siege) packet(op byte, m *mouth) wire.Packet {
	b := s.script
	switch op {
	case toSayData:
		return wire.Packet{Type: wire.Data, Flags: b.byte() & 7, Payload: make([]byte, 257*int(b.byte()))}
	case toSayAck:
		return wire.Packet{Type: wire.Ack, Serial: b.number()}
	case toSayCredit:
		return credit(b.number(), b.number())
	case toSayOptions:
		flags := b.byte()
		p := wire.Packet{Type: wire.Options, Flags: flags & 0x80, Serial: b.number(), Payload: wire.AppendOptions(nil, uint32(b.number()*10_000))}
		if flags&1 != 0 {
			p.Name = []byte("@00001")
		}
		return p
	case toSayEnd:
		return s.ending()
	case toSayReady:
		return wire.Packet{Type: wire.Ready, Payload: []byte{b.byte()}}
	case toSayHello:
		return s.anyHello(m)
	case toSayMove:
		return wire.Packet{Type: wire.Move, Flags: b.byte() & 3, Serial: b.number()}
	}
	return s.message(m)
}

// ending says that something has ended.
func (s *siege) ending() wire.Packet {
	how, serial := s.script.byte(), s.script.number()
	flags := how >> 2
	switch how & 3 {
	case 0:
		return wire.Packet{Type: wire.Shutdown, Flags: flags & 3, Serial: serial}
	case 1:
		return wire.Packet{Type: wire.Bye, Flags: flags & 1}
	case 2:
		return wire.Packet{Type: wire.Refuse, Flags: flags & 3, Serial: serial}
	}
	return wire.Packet{Type: wire.Cancel, Serial: serial}
}

// anyHello is a hello in which the script may change what matters.
func (s *siege) anyHello(m *mouth) wire.Packet {
	b := s.script
	h := s.hello(m)
	flags := b.byte()
	h.Ability, h.Proof = b.byte(), b.bytes(4)
	if flags&4 != 0 {
		h.Socket = b.number()
	}
	if flags&8 != 0 {
		h.Rights = b.number()
	}
	return wire.Packet{Type: wire.Hello, Flags: flags & 0x83, Payload: h.Append(nil)}
}

// message is a message with descriptors, which are what they are said to be, or not.
func (s *siege) message(m *mouth) wire.Packet {
	b := s.script
	p := wire.Packet{Type: wire.Data, Flags: b.byte() & 5, Serial: b.number(), Payload: make([]byte, 1+int(b.byte()))}
	if m.account.typ == sock.Datagram {
		p.Name = []byte(enemyName)
	}
	for range b.byte() % 4 {
		for _, r := range s.some(m) {
			p.Ancillary = r.Append(p.Ancillary)
			p.Records++
		}
	}
	if p.Len() > wire.MaxPacket || len(p.Ancillary) > wire.MaxAncillary {
		p.Records, p.Ancillary = 0, nil
	}
	return p
}

// some are records that name something of the enemy's, or anything: one, or many of the same.
func (s *siege) some(m *mouth) []wire.Record {
	b := s.script
	how, n := b.byte(), b.number()
	times := 1
	if how&8 != 0 {
		times += int(b.byte())
	}
	all := make([]wire.Record, times)
	for i := range all {
		all[i] = s.record(m, how, n)
	}
	if last := &all[times-1]; how&0xF0 == 0xF0 { // or a lie
		last.Kind = b.byte()
		if last.Owner != wire.Exported {
			last.Value = b.number()
		}
	}
	return all
}

// record names one thing, which is what it says.
func (s *siege) record(m *mouth, how byte, n uint64) wire.Record {
	kind := descriptor.Kind(n % uint64(len(s.files)))
	r := wire.Record{Kind: uint8(kind), Owner: wire.Owner(how & 3), Value: s.files[kind]}
	switch r.Owner {
	case wire.Receiver:
		r.Value = s.push(r.Value)
	case wire.Exported:
		r.Value, r.Extra = 0, s.export(n)
	case wire.End:
		r = s.newEnd(m, []descriptor.Kind{descriptor.Unix, descriptor.UnixListener}[how>>2&1])
	}
	return r
}

// push puts what v refers to into the victim, if that can be.
func (s *siege) push(v uint64) uint64 {
	if !s.trusting() {
		return v
	}
	s.victim.Limit(roomy)
	pushed, err := s.enemy.View(s.victim, anybody, false).Push(uintptr(v))
	if err != nil {
		s.t.Fatal(err)
	}
	s.pushed[pushed] = true
	return pushed
}

// export exports a socket for the victim, or says so.
func (s *siege) export(n uint64) []byte {
	v := s.sockets[n%uint64(len(s.sockets))]
	if !s.trusting() || !s.kin.sockets {
		return make([]byte, 1+n%pipe.MaxExtra)
	}
	s.victim.Limit(roomy)
	description, err := s.enemy.View(s.victim, anybody, true).ExportSocket(uintptr(v))
	if err != nil {
		s.t.Fatal(err)
	}
	s.exported++
	return description
}

// newEnd is a record of what could be an end of this kind.
func (s *siege) newEnd(m *mouth, kind descriptor.Kind) wire.Record {
	v := s.enemy.Open(descriptor.EndKind(kind))
	s.pipes[s.enemy.Refers(v)] = true
	r := wire.Record{Kind: uint8(kind), Owner: wire.End, Value: uint64(v)}
	server, client := s.kin.server, s.kin.client
	if m.server {
		server, client = client, server
	}
	if rights.Elect(m.server, server, client).Way == rights.Push {
		r.Value = s.push(r.Value)
	}
	return r
}
