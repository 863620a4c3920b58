package endpoint_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/cred"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

// Strangers at a datagram socket: PacketConn.permits, PacketConn.deliver and link.sign. What one
// sender does never concerns another.

// P7: a link whose other end does not keep to the rules ends; the socket and its other links go on.
func TestP7SendersThatCheat(t *testing.T) {
	const hasty = "a datagram before it is known what becomes of the one before"
	for name, say := range map[string]func(*enemy){
		"no serial number":    func(e *enemy) { e.packet(datagram(0, "x")) },
		"a piece of nothing":  func(e *enemy) { e.packet(piece(wire.Continued)) },
		"a first piece twice": func(e *enemy) { e.packet(first(1)); e.packet(first(2)) },
		"answers to nothing":  func(e *enemy) { e.packet(wire.Packet{Type: wire.Refuse, Serial: 1}) },
		"a name that is too long": func(e *enemy) {
			p := datagram(1, "x")
			p.Name = make([]byte, 109)
			e.packet(p)
		},
		hasty: func(e *enemy) {
			for i := range uint64(13) {
				e.packet(datagram(i+1, "x"))
			}
		},
		"more than the window": func(e *enemy) {
			for i := range uint64(50) {
				e.packet(datagram(i+1, strings.Repeat("x", wire.MaxPayload/2)))
			}
		},
		"a datagram without end": func(e *enemy) {
			p := first(1)
			for range sock.MaxWindow/(wire.MaxPayload/2) + 2 {
				p.Payload = make([]byte, wire.MaxPayload/2)
				e.packet(p)
				p = piece(wire.More | wire.Continued)
			}
		},
		"a credit that was not earned": func(e *enemy) { e.packet(credit(1, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			s, path := bound(t, endpoint.Config{})
			e := intruder(t, path)
			say(e)
			e.untilHungUp()
			sender := linked(t, path)
			sent := start(func() (int, error) { return sender.Write([]byte("honest")) })
			for buf := make([]byte, 100); ; { // what it had sent before it cheated counts
				n, err := s.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				if string(buf[:n]) == "honest" {
					break
				}
			}
			if o := <-sent; o.err != nil {
				t.Error(o.err)
			}
		})
	}
}

// A fakeNetwork has one socket that listens, and another one that can be dialled.
type fakeNetwork struct {
	proc, other *seat
	source      *fakeSource
	dialled     chan *fakePipe // the other ends
}

// A seat is a process, and what the system calls it.
type seat struct {
	rig *rig
	pid int
}

func (n fakeNetwork) Find(string) (pipe.Place, error) { return pipe.Place{}, nil }

func (n fakeNetwork) Listen(name string) (pipe.Source, string, error) { return n.source, name, nil }

func (n fakeNetwork) Dial(context.Context, string) (pipe.Pipe, error) {
	s, c := n.proc.rig.pipeTo(n.other.pid)
	n.dialled <- s
	return c, nil
}

// pipeTo makes a pipe whose ends belong to processes that the system calls pid.
func (r *rig) pipeTo(pid int) (s, c *fakePipe) {
	s, c = newFakePipe(onLinux, r.serverProc, r.clientProc)
	s.who = cred.Credentials{PID: pid, UID: 10, GID: 1}
	c.who = s.who
	return s, c
}

// connected makes a datagram socket that is connected to one with the number 7, of process 100,
// which is played by hand.
func connected(t *testing.T, r *rig) (s *endpoint.PacketConn, source *fakeSource) {
	n := fakeNetwork{proc: &seat{r, 1}, other: &seat{r, 100}, source: newFakeSource(), dialled: make(chan *fakePipe, 1)}
	go func() {
		peer := &enemy{t: t, pipe: <-n.dialled}
		if _, err := peer.hear(); err == nil {
			peer.hello(sock.Datagram, func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Socket = wire.FromServer, 7 })
		}
	}()
	s, err := endpoint.DialPacket(t.Context(), n, true, "/s", "/peer", endpoint.Config{Table: r.clientProc})
	if err != nil {
		t.Fatal(err)
	}
	return s, n.source
}

// A socket that is connected takes datagrams of its peer alone: whoever has learnt that one's
// number is not the process that has it.
func TestP7NobodyPassesForThePeer(t *testing.T) {
	for name, tt := range map[string]struct {
		pid  int
		id   uint64
		want wire.Status
	}{
		"the peer":                  {100, 7, wire.OK},
		"another socket of its":     {100, 8, wire.NotPermitted},
		"who knows its number":      {666, 7, wire.NotPermitted},
		"who knows neither":         {666, 8, wire.NotPermitted},
		"whom the system can't see": {0, 7, wire.OK}, // as far as the user goes: see sameProcess
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, source := connected(t, r)
				defer s.Close()
				there, here := r.pipeTo(tt.pid)
				source.pipes <- there
				e := &enemy{t: t, pipe: here}
				e.hello(sock.Datagram, func(_ *wire.Packet, h *wire.HelloBody) { h.Socket = tt.id })
				p := e.hearA(wire.Hello)
				if h, err := wire.ParseHello(p.Payload); err != nil || h.Status != tt.want {
					t.Errorf("status %d, %v; want %d", h.Status, err, tt.want)
				}
			})
		})
	}
}

// The queue has a bound for everybody but the socket itself, whatever number a sender says it has.
func TestP7NobodyPassesForTheSocketItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		n := fakeNetwork{source: newFakeSource()}
		s, err := endpoint.ListenPacket(n, "/s", endpoint.Config{Table: r.serverProc})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id := uint64(0)
		for range 2 { // its number is what it tells everybody
			there, here := r.pipeTo(666)
			n.source.pipes <- there
			e := &enemy{t: t, pipe: here}
			e.hello(sock.Datagram, func(_ *wire.Packet, h *wire.HelloBody) { h.Socket = id })
			said := id
			id = e.welcomed().Socket
			e.ready()
			for i := range uint64(12) {
				e.packet(datagram(i+1, "x"))
			}
			synctest.Wait()
			if acks := there.written(wire.Ack); acks[len(acks)-1].Serial != 11 {
				t.Errorf("%d datagrams are in the queue, for who says that it is number %#x", acks[len(acks)-1].Serial, said)
			}
			for range 11 {
				if m, err := s.Recv(make([]byte, 9), false); err != nil || m.N != 1 {
					t.Fatal(m, err)
				}
			}
			for last := uint64(0); last < 12; {
				last = e.hearA(wire.Ack).Serial
			}
			if _, err := s.Read(make([]byte, 9)); err != nil { // the twelfth, which had to wait
				t.Fatal(err)
			}
			here.Close()
		}
	})
}

// What senders cost a datagram socket is bounded: a descriptor for each of 1024, with as many more
// whose hello is under way, and of what waits one datagram each. Those that come then are told
// EAGAIN, until one of them has left.
func TestP7FloodOfSenders(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" { // a Wine prefix has its trouble with thousands of pipes
		t.Skip("over real pipes it takes a while")
	}
	leaktest.Check(t)
	const most, more = 1024, 300
	s, path := bound(t, endpoint.Config{})
	before, err := leaktest.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	var in, refused []*enemy
	for range most + more {
		p, err := newClient(t.Context(), path, sock.Datagram)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		e := &enemy{t: t, pipe: p}
		e.hello(sock.Datagram, nil)
		h, err := wire.ParseHello(e.hearA(wire.Hello).Payload)
		switch {
		case err != nil:
			t.Fatal(err)
		case h.Status == wire.Full:
			refused = append(refused, e)
		default:
			e.ready()
			in = append(in, e)
		}
	}
	if got := len(in); got < most || got > most+maxBetween || len(refused) == 0 {
		t.Errorf("%d are let in, and %d refused", got, len(refused))
	}
	after, err := leaktest.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	theirs := 2 * (len(in) + len(refused)) // a pidfd beside the pipe, on Linux
	if ours := after - before - theirs; ours > 2*len(in)+100 {
		t.Errorf("%d descriptors for %d senders", ours, len(in))
	}
	late, err := endpoint.DialPacket(t.Context(), names{}, false, "", path, endpoint.Config{})
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("one more: %v, want EAGAIN", err)
		late.Close()
	}
	for _, e := range in {
		e.pipe.Close()
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		late, err = endpoint.DialPacket(t.Context(), names{}, false, "", path, endpoint.Config{})
		if err == nil || !errors.Is(err, syscall.EAGAIN) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil { // the flood may have taken that long
		t.Fatal(err)
	}
	sent := start(func() (int, error) { return late.Write([]byte("honest")) })
	if b := full(t, io.LimitReader(s, 6), 6); string(b) != "honest" {
		t.Errorf("%q", b)
	}
	if o := <-sent; o.err != nil {
		t.Error(o.err)
	}
}

// maxBetween is how many may be let in between a hello and the moment at which it counts.
const maxBetween = 256

// Names in datagrams are what their sender says: they are shown.
func TestP7NamesInDatagramsAreShownAndNothingElse(t *testing.T) {
	s, path := bound(t, endpoint.Config{})
	e := intruder(t, path)
	for i, name := range []string{"../../etc/passwd", "/run/other\x00/run/mine", ""} {
		p := datagram(uint64(i)+1, "x")
		p.Name = []byte(name)
		e.packet(p)
		m, err := s.Recv(make([]byte, 9), false)
		if err != nil {
			t.Fatal(err)
		}
		shown, _, _ := strings.Cut(name, "\x00")
		if (m.From == nil) != (name == "") || m.From != nil && m.From.Name != shown {
			t.Errorf("from %v, want %q", m.From, shown)
		}
	}
}

// Whoever sends half a datagram and then nothing holds up nobody.
func TestP7HalfADatagram(t *testing.T) {
	s, path := bound(t, endpoint.Config{})
	e := intruder(t, path)
	e.packet(first(1))
	sender := linked(t, path)
	send(t, sender, "honest")
	if b := full(t, io.LimitReader(s, 6), 6); string(b) != "honest" {
		t.Errorf("%q", b)
	}
	s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := s.Read(make([]byte, 9)); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

// P4: a socket that is closed when a datagram has come in part refuses that datagram before it says
// goodbye. The descriptors have been adopted, and are discarded here: a sender that has pushed them
// would take back whatever has their values by then.
func TestP4DatagramThatIsThereInPartWhenItsSocketCloses(t *testing.T) {
	testenv.NeedPipeRights(t)
	leaktest.Check(t)
	s, path := bound(t, endpoint.Config{})
	e := intruder(t, path)
	e.file = uint64(file(t).Value)
	p := withRecords(7, 1, e.own())
	p.Flags |= wire.More
	e.packet(p)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p := e.hearA(wire.Refuse); p.Serial != 7 || p.Flags != wire.Closing {
		t.Errorf("datagram %d is refused, flags %#x", p.Serial, p.Flags)
	}
	e.hearA(wire.Bye)
}
