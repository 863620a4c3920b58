package sock_test

import (
	"testing"

	"afunix/internal/sock"
)

// A parley is two ends that move, cross, stay, and go over themselves, with what is on the way
// between them. It does what package endpoint does with sock.Moves, but without a thread.
type parley struct {
	*script
	t      *testing.T
	ends   [2]*mover
	owners int
}

// A mover is one end, and whoever has it.
type mover struct {
	p     *parley
	debts sock.Debts
	moves sock.Moves
	out   *sock.Outbox
	owner int
	knows int     // who has the other end, by its last hello
	way   []words // that have been written to this end, and not been read
	reads bool
	full  bool // the pipe takes nothing more from this end

	stage  stage
	route  sock.Route
	told   *sock.Transfer // the Move
	sent   *sock.Transfer // the message that this end goes in
	target int            // for whom the descriptors of the message have been duplicated
	parked *packed        // the other end, which has come over this one
}

// packed is what a new owner is told of an end.
type packed struct {
	state sock.MovesState
	owner int
}

// words are a packet.
type words struct {
	sock.Payment
	from   int
	rights bool // for target
	target int
	serial uint64
	end    *packed
}

// A stage is how far whoever moves an end has come.
type stage uint8

const (
	idle stage = iota
	begun
	asked
	told
	drained
	ready
	loaded
	under
	gone
)

func newParley(t *testing.T, b []byte) *parley {
	p := &parley{script: &script{b}, t: t, owners: 2}
	for i := range p.ends {
		m := &mover{p: p, owner: i, knows: 1 - i, target: -1, reads: true, out: sock.NewOutbox(sock.Stream)}
		m.moves = sock.NewMoves(&m.debts, i == 0)
		m.moves.Agree()
		p.ends[i] = m
	}
	return p
}

// at is 0 for the server's end.
func (m *mover) at() int {
	if m == m.p.ends[0] {
		return 0
	}
	return 1
}

// peer is the other end.
func (m *mover) peer() *mover {
	if m.p.ends[0] == m {
		return m.p.ends[1]
	}
	return m.p.ends[0]
}

// write puts a packet into the pipe.
func (m *mover) write(w words) {
	w.from = m.owner
	m.p.t.Logf("%d of %d writes %+v", m.at(), m.owner, w)
	m.peer().way = append(m.peer().way, w)
}

// pay says what is owed, as far as the pipe has room.
func (m *mover) pay() {
	for !m.full {
		d, ok := m.debts.Next(m.moves.Hears())
		if !ok {
			return
		}
		p := m.debts.Pay(d, m.out, m.moves.Abroad())
		if m.full = m.p.byte() >= 0xF0; m.full {
			m.debts.Unpay(p, m.out)
			return
		}
		m.write(words{Payment: p})
		m.debts.Paid(p)
	}
}

// send writes a message, with descriptors or without, or a part of it.
func (m *mover) send(how byte) {
	if m.moves.Presents() {
		m.moves.Greet()
		m.pay()
	}
	switch {
	case m.sent != nil || m.full || m.debts.Any() && !m.moves.Held():
	case !m.moves.Quiet(): // see finish
		m.finish()
	case how&1 != 0: // with descriptors
		if m.moves.Load() {
			m.target = m.knows
		}
	case !m.moves.Stops(false):
		more := how&2 != 0
		m.write(words{Payment: sock.Payment{Debt: data}})
		m.moves.Wrote(more)
	}
}

// data is no debt.
const data = sock.DebtBye + 1

// finish writes what is left of the message that has begun, or takes it back.
func (m *mover) finish() {
	switch loaded := m.target >= 0; {
	case loaded && !m.moves.Ready():
		m.unload()
	case m.full || m.moves.Stops(!loaded):
	case loaded:
		t := new(sock.Transfer)
		m.out.Track(t, nil)
		m.write(words{Payment: sock.Payment{Debt: data}, rights: true, target: m.target, serial: t.Serial()})
		m.moves.Wrote(false)
		m.unload()
	default:
		m.write(words{Payment: sock.Payment{Debt: data}})
		m.moves.Wrote(false)
	}
}

func (m *mover) unload() {
	m.target = -1
	m.moves.Unload()
	m.pay()
}

// read takes in the next packet. Whoever keeps to the rules never breaks one.
func (m *mover) read() {
	if !m.reads || len(m.way) == 0 {
		return
	}
	w := m.way[0]
	m.way = m.way[1:]
	m.p.t.Logf("%d of %d reads %+v in %+v", m.at(), m.owner, w, m.moves)
	var err error
	switch w.Debt {
	case data:
		m.take(w)
	case sock.DebtAck:
		err = m.out.Ack(w.About)
	case sock.DebtReady:
		var counts bool
		if counts, err = m.moves.Readies(); counts {
			m.moves.Agree()
		}
	case sock.DebtHello:
		if err = m.moves.PeerHello(w.Moved, m.parked != nil); err == nil {
			m.knows = w.from
		}
	case sock.DebtMove:
		err = m.hearMove(w)
	case sock.DebtShutdown:
		if w.Serial != 0 {
			m.debts.Acknowledge(w.Serial)
		}
	}
	if err != nil {
		m.p.t.Fatalf("%+v broke a rule: %v; %+v", w, err, m.moves)
	}
	m.pay()
}

// take takes in a message. Its descriptors have been duplicated for whoever has this end now.
func (m *mover) take(w words) {
	if !w.rights {
		return
	}
	if !m.moves.Agreed() || w.target != m.owner {
		m.p.t.Fatalf("descriptors for process %d came to process %d, agreed: %t", w.target, m.owner, m.moves.Agreed())
	}
	if w.end != nil {
		m.moves.EndCame()
		w.end.owner = m.owner
		m.parked = w.end
	}
	m.debts.Acknowledge(w.serial)
}

func (m *mover) hearMove(w words) error {
	if w.Route != sock.LetGo {
		return m.moves.PeerMoves(w.Serial, w.Route == sock.Itself)
	}
	if m.moves.PeerLetGo() && m.parked != nil {
		m.peer().arrive(m.parked)
	}
	m.parked = nil
	return nil
}

// arrive makes m what its new owner has.
func (m *mover) arrive(p *packed) {
	m.p.t.Logf("%d of %d goes to %+v", m.at(), m.owner, p)
	m.owner, m.knows, m.target, m.reads, m.full = p.owner, -1, -1, true, false
	m.stage, m.told, m.sent = idle, nil, nil
	m.out, _ = sock.RestoreOutbox(sock.Stream, m.out.Look())
	m.debts = sock.Debts{}
	m.moves = sock.NewMoves(&m.debts, m == m.p.ends[0])
	if m.moves.Arrive(p.state); !p.state.Waits {
		m.moves.Greet()
	}
	m.moves.Live()
	m.pay()
}

// move goes on moving this end, or begins to.
func (m *mover) move(how byte) {
	s := &m.moves
	if m.stage != idle && m.stage < under && m.route == sock.Itself && s.Held() {
		m.stay()
		return
	}
	switch m.stage {
	case idle:
		m.begin(how)
	case begun:
		if s.Quiet() && s.Answered() {
			m.announce()
		}
	case asked:
		if m.told.Fate != sock.Written {
			m.stage = told
		}
	case told:
		if m.route == sock.Elsewhere {
			for len(m.way) > 0 {
				m.read()
			}
			m.reads = false
		}
		m.stage = drained
	case drained:
		if m.pay(); s.Quiet() && !m.debts.Any() {
			m.stage = ready
			if m.route == sock.Elsewhere {
				s.Detach()
			}
		}
	case ready:
		m.leave()
	case loaded:
		m.goOver()
	case under:
		m.arrived()
	case gone:
		m.pay()
	}
}

func (m *mover) begin(how byte) {
	if m.route = sock.Elsewhere; how&1 != 0 {
		m.route = sock.Itself
	}
	if m.route == sock.Itself && (!m.moves.Ready() || !m.moves.Quiet()) {
		return // whoever sends waits for both: see sendRoute, attempt
	}
	if !m.moves.Begin(m.route) {
		m.p.t.Fatalf("it cannot begin: %+v", m.moves)
	}
	m.stage = begun
}

func (m *mover) announce() {
	s := &m.moves
	if !s.Abroad() {
		m.told = m.debts.Ask(sock.DebtMove)
		m.debts.OweMove(m.route)
		s.Announce()
		m.pay()
		m.stage = asked
		return
	}
	if !s.Waits() {
		m.debts.OweMove(sock.Elsewhere)
		if m.pay(); m.debts.Owes(sock.DebtMove) {
			m.debts.Strike(sock.DebtMove)
			return
		}
	}
	s.LeaveWord()
	m.stage = told
}

// leave gives this end to a process, or loads the message that it goes in.
func (m *mover) leave() {
	if m.route == sock.Itself {
		if !m.moves.Load() {
			m.stay()
			return
		}
		m.target, m.stage = m.knows, loaded
		return
	}
	m.p.owners++
	m.arrive(&packed{state: m.moves.Look(), owner: m.p.owners})
}

// goOver writes the message that this end goes in.
func (m *mover) goOver() {
	switch {
	case !m.moves.Ready():
		m.stay()
	case m.full || m.debts.Any() || m.moves.Stops(true):
	default:
		m.sent = new(sock.Transfer)
		m.out.Track(m.sent, nil)
		end := &packed{state: m.moves.Look()}
		m.write(words{Payment: sock.Payment{Debt: data}, rights: true, target: m.target, serial: m.sent.Serial(), end: end})
		m.moves.Wrote(false)
		m.stage = under
		m.unload()
	}
}

// arrived lets go of this end, which has arrived over itself.
func (m *mover) arrived() {
	if m.sent.Fate == sock.Written {
		return
	}
	m.moves.Detach()
	for len(m.way) > 0 {
		m.read()
	}
	m.reads = false
	if !m.moves.LetGo() {
		m.p.t.Fatalf("it cannot let go: %+v", m.moves)
	}
	m.stage = gone
	m.pay()
}

// stay ends a move that has not come too far.
func (m *mover) stay() {
	if m.stage == idle || m.stage >= under {
		return
	}
	m.p.t.Logf("%d of %d stays in %+v", m.at(), m.owner, m.moves)
	if m.stage == loaded {
		m.unload()
	}
	if m.moves.Stay() {
		m.moves.Greet()
	}
	m.stage, m.told, m.reads = idle, nil, true
	m.pay()
}

// flush makes room in the pipe.
func (m *mover) flush() {
	m.full = false
	m.pay()
}

func (p *parley) step() {
	b := p.byte()
	m := p.ends[b&1]
	switch b >> 1 % 8 {
	case 0, 1:
		m.read()
	case 2, 3:
		m.move(p.byte())
	case 4:
		m.stay()
	case 5:
		m.send(p.byte())
	case 6:
		m.flush()
	case 7:
		if m.stage == idle {
			m.debts.OweShutdown(sock.ReadHalf)
			m.debts.Ask(sock.DebtShutdown)
			m.pay()
		}
	}
	if p.ends[0].moves.Waits() && p.ends[1].moves.Waits() {
		p.t.Fatalf("each hello waits for the other: %+v, %+v", p.ends[0].moves, p.ends[1].moves)
	}
}

// settle lets every end stay that still can, and everything arrive. Then both ends are somewhere,
// and descriptors may go both ways.
func (p *parley) settle() {
	for range 100 {
		for _, m := range p.ends {
			m.flush()
			if m.stay(); m.stage != idle {
				m.move(0)
			}
			for n := len(m.way); n > 0 && m.reads; n-- {
				m.read()
			}
			if !m.moves.Quiet() {
				m.finish()
			}
		}
	}
	for i, m := range p.ends {
		if m.moves.Waits() || m.moves.PeerAway() || m.moves.Moving() || !m.moves.Quiet() || !m.moves.Answered() || !m.moves.Ready() || !m.moves.Agreed() ||
			m.debts.Any() || len(m.way) > 0 || m.out.Outstanding() > 0 || m.knows != m.peer().owner {
			p.t.Fatalf("end %d of process %d, which knows process %d of %d: stage %d, %d packets, %d outstanding, %+v, %+v",
				i, m.owner, m.knows, m.peer().owner, m.stage, len(m.way), m.out.Outstanding(), m.moves, m.debts)
		}
	}
}

// P8: whatever two ends do that keep to the rules, moving at the same time, staying, going over
// themselves, with the pipe full now and then: neither breaks a rule, no descriptor comes to a
// process that it was not duplicated for, and in the end both can send.
func FuzzMoves(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{4, 0, 4, 0, 1, 0, 4, 0, 4, 0, 4, 0, 4, 0, 1, 0})
	f.Add([]byte{4, 1, 5, 1, 4, 0, 5, 0, 0, 1, 4, 0, 5, 0, 0, 1, 4, 0, 5, 0, 4, 0, 5, 0, 4, 0, 5, 0})
	f.Add([]byte{4, 0, 4, 0, 5, 0, 5, 0, 1, 0, 4, 0, 4, 0, 4, 0, 4, 0, 5, 0, 5, 0, 5, 0, 5, 0, 8, 9})
	f.Add([]byte{10, 1, 5, 0, 5, 0, 0, 10, 0, 5, 0, 5, 0, 5, 0, 5, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			t.Skip()
		}
		p := newParley(t, b)
		for len(p.rest) > 0 {
			p.step()
		}
		p.settle()
	})
}
