package endpoint_test

import (
	"context"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// What a peer may cost that keeps to the rules, as far as they go: bytes, descriptors, goroutines.

// held is how much memory is in use, once what is garbage has been collected.
func held() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// A window, with a message that began when there was a little room still: what one connection may
// have unread.
const windowful = 2*sock.MaxWindow + wire.MaxPayload

// A connection holds at most a window and a message, however it is cut into packets.
func TestP7CostOfAConnection(t *testing.T) {
	for name, payload := range map[string]int{"of large packets": wire.MaxPayload, "of single bytes": 1} {
		t.Run(name, func(t *testing.T) {
			l, path := listen(t, sock.Stream, 0)
			before := held()
			e := settle(t, path)
			defer e.pipe.Close()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			cost := 0
			for cost < sock.MaxWindow {
				e.packet(wire.Packet{Type: wire.Data, Payload: make([]byte, payload)})
				cost += int(sock.Cost(payload))
			}
			e.packet(wire.Packet{Type: wire.Options, Serial: 1, Payload: wire.AppendOptions(nil, sock.MaxWindow)})
			for e.hearA(wire.Ack).Serial < 1 { // it has seen all this
			}
			if got := held() - before; got > windowful+1<<20 {
				t.Errorf("%d bytes of memory for %d in the window", got, cost)
			}
		})
	}
}

// settle connects an enemy to path, with the largest window.
func settle(t *testing.T, path string) *enemy {
	t.Helper()
	p, err := newClient(context.Background(), path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	e := &enemy{t: t, pipe: p}
	e.hello(sock.Stream, func(_ *wire.Packet, h *wire.HelloBody) { h.Window = sock.MaxWindow })
	e.welcomed()
	e.ready()
	return e
}

// Of the connections that nobody has accepted, 16 are read. What the others send stays in their
// pipes, which are the system's and theirs.
func TestP7CostOfConnectionsThatNobodyAccepts(t *testing.T) {
	leaktest.Check(t)
	const clients, read = 64, 16
	l, path := listen(t, sock.Stream, 0)
	before := held()
	var enemies []*enemy
	for range clients {
		e := settle(t, path)
		enemies = append(enemies, e)
		for sent := 0; sent < sock.MaxWindow; sent += wire.MaxPayload {
			p := wire.Packet{Type: wire.Data, Payload: make([]byte, wire.MaxPayload)}
			if err := e.pipe.Write(p.AppendHead(nil), p.Payload); err == syscall.EAGAIN {
				time.Sleep(time.Millisecond) // whoever reads it may be about to; nobody else does
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := held() - before; got > read*windowful {
		t.Errorf("%d bytes of memory for %d connections that nobody has accepted", got, clients)
	}
	for range clients { // all of them are there
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		full(t, c, wire.MaxPayload)
		c.Close()
	}
	for _, e := range enemies {
		e.pipe.Close()
	}
}

// Descriptors are taken ahead of the application up to 2,024 for a connection, and up to 253 for
// each of 16 that nobody has accepted.
func TestP7CostOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		var enemies []*enemy
		for range 40 {
			s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
			r.source.pipes <- s
			e := &enemy{t: t, pipe: c, file: uint64(r.open(r.clientProc, descriptor.File, 1)[0].Value)}
			e.hello(sock.Stream, nil)
			granted := e.welcomed().Rights
			e.ready()
			if granted > 0 {
				e.packet(withRecords(1, int(granted), e.own()))
			}
			enemies = append(enemies, e)
		}
		synctest.Wait()
		if got := r.extra(r.serverProc); got > 16*descriptor.Max {
			t.Errorf("%d descriptors for connections that nobody has accepted", got)
		}
		conn, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		synctest.Wait()
		for i := range 7 {
			enemies[0].packet(withRecords(uint64(i)+2, descriptor.Max, enemies[0].own()))
		}
		synctest.Wait()
		if got, want := r.extra(r.serverProc), (15+8)*descriptor.Max; got > want {
			t.Errorf("%d descriptors, at most %d", got, want)
		}
		for _, e := range enemies {
			e.pipe.Close()
		}
	})
}

// What ends take along is 4 MiB for a message, and making the ends of it takes a few times as much
// memory, whatever it says.
func TestP7CostOfLuggage(t *testing.T) {
	for name, change := range map[string]func(*sock.ConnState){
		"segments": func(s *sock.ConnState) { s.Segments = slices.Repeat([]sock.Segment{{}}, sock.MaxLuggage/14) },
		"writers":  func(s *sock.ConnState) { s.End.Writers = slices.Repeat([]sock.Writer{{}}, sock.MaxLuggage/26) },
		"offers":   func(s *sock.ConnState) { s.Link.Offers = make([]uint64, sock.MaxLuggage/9) },
		"data":     func(s *sock.ConnState) { s.Segments = []sock.Segment{{Data: make([]byte, sock.MaxLuggage/8*7)}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
				s.forgets, c.forgets = true, true
				r.source.pipes <- s
				e := &enemy{t: t, pipe: c, cargo: r.cargo}
				e.hello(sock.Stream, nil)
				e.welcomed()
				e.ready()
				conn, err := r.listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				e.packet(wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.MaxWindow)})
				synctest.Wait()
				s.hold()
				e.moves(theConn(change), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				s.letGo()
				synctest.Wait()
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > 16*sock.MaxLuggage {
					t.Errorf("%d bytes are allocated", got)
				}
				ends(t, conn.(*endpoint.Conn), "record 0: bad record: …")
				c.Close()
			})
		})
	}
}

// Those who say nothing cost a descriptor and a goroutine each, 256 of them at a time, for ten
// seconds.
func TestP7CostOfThoseWhoSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		before := runtime.NumGoroutine()
		var pipes []*fakePipe
		for range 600 {
			s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
			r.source.pipes <- s
			pipes = append(pipes, c)
		}
		synctest.Wait()
		if got := runtime.NumGoroutine() - before; got > 300 {
			t.Errorf("%d goroutines", got)
		}
		time.Sleep(11 * time.Second) // virtual
		synctest.Wait()
		closed := 0
		for _, p := range pipes {
			if p.peer.isClosed() {
				closed++
			}
		}
		if closed != 256 {
			t.Errorf("%d are sent away after ten seconds", closed)
		}
		for _, p := range pipes {
			p.Close()
		}
	})
}

// P7: pieces cost something, too.
func TestEndlessPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Seqpacket)
		defer r.end()
		r.connect(onLinux, sock.Seqpacket)
		r.clientPipe.set(func() { r.clientPipe.forgets = true })
		for i := range 100000 {
			p := wire.Packet{Type: wire.Data, Flags: wire.More}
			if i > 0 {
				p.Flags |= wire.Continued
			}
			if err := r.clientPipe.Write(p.AppendHead(nil), nil); err != nil {
				return
			}
			synctest.Wait()
		}
		t.Error("100,000 empty pieces are queued")
	})
}
