package sim

import (
	"time"

	"afunix/internal/endpoint"
)

// meet makes the connection of two sides, by a listener of the server's process, which accepts after a while, and runs their programs.
func (w *World) meet(s, c *Side, fromServer, fromClient []Outgoing, atServer, atClient Reader, accept time.Duration) {
	server, client := s.process(), c.process()
	w.Go("listener of "+s.name, func() {
		if !w.Step(server, "program "+s.name+": listen") {
			return
		}
		l, o, err := server.Listen(s.typ)
		if err != nil {
			return // it is dead, or has no room
		}
		w.Go("client "+c.name, func() {
			if !w.Step(client, "program "+c.name+": dial") {
				l.Close() // nobody comes
				return
			}
			conn, err := client.dial(o, c.typ, c.on)
			w.Note(client.name, "dialled")
			if err != nil {
				l.Close()
				return
			}
			c.Live(client, conn, fromClient, atClient)
		})
		time.Sleep(accept)
		if !w.Step(server, "program "+s.name+": accept") {
			return
		}
		s.mayAdopt(afterAccept)
		conn, err := l.Accept()
		if err == nil {
			server.Own(conn)
			s.Live(server, conn.(*endpoint.Conn), fromServer, atServer)
		}
		if w.Step(server, "program "+s.name+": close listener") {
			l.Close()
		}
	})
}

// mayAdopt sets how much may be adopted ahead of the program.
func (s *Side) mayAdopt(n int) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.bound = n
}
