package endpoint_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

// Peers that begin something, and then say nothing, or go. Whoever waits for them has his deadline;
// Close waits for nobody, and nothing is left when what lingers is over.

func TestP7PeersThatFallSilent(t *testing.T) {
	for name, tt := range map[string]struct {
		typ   sock.Type
		mute  bool // it does not even say ready
		do    func(e *enemy)
		reads bool // a read says that its deadline has come
		sends bool // so does sending a descriptor, and nothing has gone
	}{
		"half a message": {typ: sock.Seqpacket, reads: true, do: func(e *enemy) { e.packet(piece(wire.More)) }},
		"half a message with descriptors": {typ: sock.Seqpacket, reads: true, do: func(e *enemy) {
			p := withRecords(1, 3, e.own())
			p.Flags = wire.More
			e.packet(p)
		}},
		"luggage, and no message":       {typ: sock.Stream, reads: true, do: func(e *enemy) { e.packet(e.luggage(1, emptyState, 3)) }},
		"no ready":                      {typ: sock.Stream, mute: true, reads: true, sends: true, do: func(*enemy) {}},
		"a move, and no new owner":      {typ: sock.Stream, reads: true, sends: true, do: func(e *enemy) { e.packet(aMove) }},
		"a new owner that is not ready": {typ: sock.Stream, reads: true, sends: true, do: func(e *enemy) { e.packet(aMove); e.hello(sock.Stream, moved(0)) }},
		"a move over itself that does not come": {typ: sock.Stream, reads: true, sends: true, do: func(e *enemy) {
			e.packet(wire.Packet{Type: wire.Move, Flags: wire.Itself, Serial: 1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.typ)
				defer r.end()
				s, c := newFakePipe(kinship{opens, opens, false}, r.serverProc, r.clientProc)
				r.source.pipes <- s
				e := &enemy{t: t, pipe: c, file: uint64(r.open(r.clientProc, descriptor.File, 1)[0].Value), cargo: r.cargo}
				e.hello(tt.typ, nil)
				e.welcomed()
				if !tt.mute {
					e.ready()
				}
				conn, err := r.listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				tt.do(e)
				synctest.Wait()
				conn.SetDeadline(time.Now().Add(time.Second))
				if n, err := conn.Read(make([]byte, 9)); tt.reads && (n != 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
					t.Errorf("read: %d, %v", n, err)
				}
				conn.SetDeadline(time.Now().Add(time.Second))
				if tt.sends {
					if n, err := conn.Send([]byte("x"), r.open(r.serverProc, descriptor.File, 1), nil); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("send: %d, %v", n, err)
					}
				}
				begun := time.Now()
				if err := conn.Close(); err != nil || time.Since(begun) > 0 {
					t.Errorf("close after %v: %v", time.Since(begun), err)
				}
				time.Sleep(6 * time.Second) // virtual: what lingers has ended
				if !s.isClosed() || r.extra(r.serverProc) != 0 {
					t.Errorf("the pipe is closed: %v; %d descriptors are left", s.isClosed(), r.extra(r.serverProc))
				}
				c.Close()
			})
		})
	}
}

// A carrier that ends in the middle of what it carries: nothing of that is left.
func TestP7CarriersThatEnd(t *testing.T) {
	for name, end := range map[string]func(e *enemy){
		"without a word": func(e *enemy) { e.pipe.Close() },
		"politely":       func(e *enemy) { e.packet(wire.Packet{Type: wire.Bye}); e.pipe.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
				r.source.pipes <- s
				e := &enemy{t: t, pipe: c, file: uint64(r.open(r.clientProc, descriptor.File, 1)[0].Value)}
				e.hello(sock.Stream, nil)
				e.welcomed()
				e.ready()
				conn, err := r.listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				e.packet(e.luggage(1, emptyState, 200))
				end(e)
				if n, err := conn.Read(make([]byte, 9)); n != 0 || err != io.EOF {
					t.Errorf("%d, %v", n, err)
				}
				if got := r.extra(r.serverProc); got != 0 {
					t.Errorf("%d descriptors are left", got)
				}
			})
		})
	}
}

// Ends in the queue of ends in the queue of ends, as deep as credit goes: they come, and go with
// the first one.
func TestP7EndsInEndsInEnds(t *testing.T) {
	const deep = 1000
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
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
		synctest.Wait()
		var states []byte
		serial := uint64(1)
		for i := range deep {
			states = append(states, theConn(func(s *sock.ConnState) {
				if i < deep-1 {
					s.In.Arrived, s.In.RightsArrived, s.Segments = 1000, 1, []sock.Segment{{Data: []byte("x"), Rights: wire.Announced(1)}}
				}
			})...)
		}
		for left := deep - 1; left > 0; serial++ {
			n := min(left, wire.MaxRecords)
			p := wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: serial, Records: n}
			for range n {
				p.Ancillary = e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]).Append(p.Ancillary)
			}
			e.packet(p)
			left -= n
		}
		for ; len(states) > 0; serial++ {
			n := min(len(states), wire.MaxPayload)
			e.packet(wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: serial, Payload: states[:n]})
			states = states[n:]
		}
		e.packet(withRecords(serial, 1, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0])))
		m, err := conn.Recv(make([]byte, 9), false)
		if err != nil || m.Rights.Len() != 1 {
			t.Fatalf("%+v, %v", m, err)
		}
		if got := r.extra(r.serverProc); got != deep {
			t.Errorf("%d ends", got)
		}
		if err := m.Rights.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // virtual
		if got := r.extra(r.serverProc); got != 0 {
			t.Errorf("%d ends are left", got)
		}
		c.Close()
	})
}

// Who hands over the same end twice, or keeps it, or hands over the end of the very connection
// without a word, harms that end alone.
func TestP7EndsThatTwoHave(t *testing.T) {
	testenv.NeedPipeRights(t)
	for name, tt := range map[string]struct {
		what func(e *enemy) []uint64
		ends bool // the carrier with EPROTO
	}{
		"twice": {what: func(e *enemy) []uint64 {
			v := e.cargo(descriptor.Unix).values[0]
			return []uint64{v, v}
		}},
		"that its former owner uses on": {what: func(e *enemy) []uint64 {
			a, b, err := newPair()
			if err != nil {
				e.t.Fatal(err)
			}
			e.t.Cleanup(func() { a.Close(); b.Close() })
			for range 10 {
				a.Write(plainData.Append(nil), nil)
				b.Write(plainData.Append(nil), nil)
			}
			return []uint64{valueOf(e.t, a)}
		}},
		"of this connection": {ends: true, what: func(e *enemy) []uint64 { return []uint64{valueOf(e.t, e.pipe)} }},
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			l, path := listen(t, sock.Stream, 0)
			e := settle(t, path)
			e.cargo = func(k descriptor.Kind) cargo { return realCargo(t, k) }
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			p := wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: 1}
			m := wire.Packet{Type: wire.Data, Serial: 2, Payload: []byte("x")}
			for _, v := range tt.what(e) {
				p.Payload = append(p.Payload, theConn(func(s *sock.ConnState) {
					if tt.ends {
						s.End.Server = false // the client's end
					}
				})...)
				m.Ancillary = e.end(descriptor.Unix, v).Append(m.Ancillary)
				m.Records++
			}
			e.packet(p)
			e.packet(m)
			got, err := conn.Recv(make([]byte, 9), false)
			if err != nil || got.Rights.Len() != m.Records {
				t.Fatalf("%+v, %v", got, err)
			}
			for i := range m.Records {
				err := got.Rights.Give(i, func(_ uintptr, _ descriptor.Kind, end descriptor.End) error {
					c := end.(*endpoint.Conn)
					c.SetDeadline(time.Now().Add(200 * time.Millisecond))
					for range 20 { // whatever comes of it
						if _, err := c.Read(make([]byte, 9)); err != nil {
							break
						}
					}
					c.Write([]byte("x"))
					return c.Close()
				})
				if err != nil {
					t.Error(err)
				}
			}
			if tt.ends {
				ends(t, conn.(*endpoint.Conn), "protocol error: …")
			}
			good := dial(t, sock.Stream, path)
			send(t, good, "goes on")
			next, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			recv(t, next.(*endpoint.Conn), "goes on", 0)
			next.Close()
		})
	}
}

// valueOf returns the descriptor of p.
func valueOf(t testing.TB, p pipe.Pipe) (v uint64) {
	t.Helper()
	if err := p.SyscallConn().Control(func(fd uintptr) { v = uint64(fd) }); err != nil {
		t.Fatal(err)
	}
	return v
}
