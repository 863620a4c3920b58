package sim

import (
	"math/rand/v2"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
)

// A Meeting is how a connection comes about: a listener of the server's process, which accepts
// after a while, and what the programs do with it then.
type Meeting struct {
	server, client         *Side
	fromServer, fromClient []Outgoing
	atServer, atClient     Reader
	accept                 time.Duration
	Via                    *Side // not nil: the listener moves over it before anybody is accepted
}

// meet makes it so.
func (w *World) meet(m *Meeting) {
	server, client := m.server.process(), m.client.process()
	w.Go("listener of "+m.server.name, func() {
		if !w.says(server, m.server.name, "listen") {
			return
		}
		l, o, err := server.Listen(m.server.typ)
		if err != nil {
			return // it is dead, or has no room
		}
		w.Go("client "+m.client.name, func() { m.dial(client, o) })
		time.Sleep(m.accept)
		if m.Via != nil && m.moveListener(server, l) {
			return
		}
		m.acceptAt(server, l)
	})
}

func (m *Meeting) dial(p *Process, o *port) {
	if !p.w.says(p, m.client.name, "dial") {
		return
	}
	conn, err := p.dial(o, m.client.typ, m.client.on)
	p.w.Note(p.name, "dialled")
	if err == nil {
		m.client.Live(p, conn, m.fromClient, m.atClient)
	}
}

// acceptAt accepts the only client, if it comes soon, and closes the listener.
func (m *Meeting) acceptAt(p *Process, l *endpoint.Listener) {
	w := p.w
	if !w.says(p, m.server.name, "accept") {
		return
	}
	m.server.mayAdopt(p, afterAccept)
	l.SetDeadline(time.Now().Add(5 * time.Minute)) // fails if it has been closed, as Accept will
	conn, err := l.Accept()
	if err == nil {
		p.Own(conn)
		m.server.Live(p, conn.(*endpoint.Conn), m.fromServer, m.atServer)
	}
	if w.says(p, m.server.name, "close listener") {
		l.Close()
	}
}

// moveListener moves it, and reports whether it has gone. Whoever receives it accepts.
func (m *Meeting) moveListener(p *Process, l *endpoint.Listener) (gone bool) {
	c := &cargo{end: l, of: m.server, listener: true, arrive: func(p *Process, e descriptor.End) {
		p.Own(e)
		p.w.Go("listener that has moved", func() { m.acceptAt(p, e.(*endpoint.Listener)) })
	}}
	if !c.carry(p, m.Via, rand.New(rand.NewPCG(m.server.seed, 0)), Outgoing{Bytes: 20}) {
		return false
	}
	p.Disown(l)
	return true
}

// mayAdopt sets how much may be adopted ahead of the program, and by whom.
func (s *Side) mayAdopt(p *Process, n int) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.holder, s.bound = p, n
}
