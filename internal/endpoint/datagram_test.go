package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// names is a Network of real pipes, whose names never come to lead elsewhere.
type names struct{}

func (names) Find(string) (pipe.Place, error) { return pipe.Place{}, nil }

func (names) Dial(ctx context.Context, name string) (pipe.Pipe, error) {
	return newClient(ctx, name, sock.Datagram)
}

func (names) Listen(name string) (pipe.Source, string, error) {
	s, err := newSource(name, sock.Datagram)
	return s, name, err
}

// bound returns a datagram socket that cfg describes, and its name.
func bound(t *testing.T, cfg endpoint.Config) (*endpoint.PacketConn, string) {
	t.Helper()
	name := filepath.Join(testenv.TempDir(t), "d")
	s, err := endpoint.ListenPacket(names{}, name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetDeadline(time.Now().Add(20 * time.Second))
	return s, name
}

// linked returns a sender that is connected to the socket called name.
func linked(t *testing.T, name string) *endpoint.PacketConn {
	t.Helper()
	s, err := endpoint.DialPacket(t.Context(), names{}, false, "", name, endpoint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetDeadline(time.Now().Add(20 * time.Second))
	return s
}

// intruder opens a link by hand, up to its ready.
func intruder(t *testing.T, name string) *enemy {
	t.Helper()
	p, err := newClient(t.Context(), name, sock.Datagram)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	e := &enemy{t: t, pipe: p}
	e.hello(sock.Datagram, nil)
	e.welcomed()
	e.ready()
	return e
}

func datagram(serial uint64, data string) wire.Packet {
	return wire.Packet{Type: wire.Data, Serial: serial, Name: []byte("@me"), Payload: []byte(data)}
}

func first(serial uint64) wire.Packet {
	p := datagram(serial, "piece")
	p.Flags = wire.More
	return p
}

// A withdrawal of what is in the queue already, or was never sent, changes nothing; one of what is
// held is answered by a refusal.
func TestWithdrawal(t *testing.T) {
	s, path := bound(t, endpoint.Config{})
	e := intruder(t, path)
	e.packet(wire.Packet{Type: wire.Cancel, Serial: 1})
	for i := range uint64(11) {
		e.packet(datagram(i+1, "x"))
	}
	for e.hearA(wire.Ack).Serial < 11 {
	}
	intruder(t, path).packet(datagram(1, "held"))
	e.packet(datagram(12, "withdrawn"))
	e.packet(wire.Packet{Type: wire.Cancel, Serial: 5})
	e.packet(wire.Packet{Type: wire.Cancel, Serial: 12})
	for refused := false; !refused; {
		p, err := e.hear()
		if err != nil {
			t.Fatal(err)
		}
		if refused = p.Type == wire.Refuse; refused && (p.Serial != 12 || p.Flags != 0) {
			t.Errorf("refusal of %d, flags %#x", p.Serial, p.Flags)
		}
	}
	for _, want := range append(strings.Split(strings.Repeat("x", 11), ""), "held") {
		buf := make([]byte, 20)
		if n, err := s.Read(buf); string(buf[:n]) != want || err != nil {
			t.Fatalf("%q, %v; want %q", buf[:n], err, want)
		}
	}
	s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Read(make([]byte, 9)); err != os.ErrDeadlineExceeded {
		t.Error(err)
	}
}

// What a sender that is gone did not get into the queue was never sent, and its descriptors are
// closed.
func TestHeldDatagramOfASenderThatIsGone(t *testing.T) {
	s, path := bound(t, endpoint.Config{})
	e := intruder(t, path)
	for i := range uint64(12) {
		e.packet(datagram(i+1, "x"))
	}
	for acks := uint64(0); acks < 11; {
		p, err := e.hear()
		if err != nil {
			t.Fatal(err)
		}
		acks = p.Serial
	}
	e.pipe.Close()
	sender := linked(t, path)
	failed := start(func() (int, error) { return sender.Write([]byte("next")) })
	var got []string
	for len(got) == 0 || got[len(got)-1] == "x" {
		buf := make([]byte, 20)
		n, err := s.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buf[:n]))
	}
	// It may still have come into the queue, if that was read before the end of its sender was seen.
	if n := len(got); n != 12 && n != 13 || got[n-1] != "next" {
		t.Errorf("%q", got)
	}
	if o := <-failed; o.err != nil {
		t.Error(o.err)
	}
}

// P3 and P4: the descriptors of a datagram that is refused, or withdrawn, stay with their sender
// alone.
func TestDescriptorsOfADatagramThatIsNotQueued(t *testing.T) {
	testenv.NeedPipeRights(t)
	s, path := bound(t, endpoint.Config{})
	sender := linked(t, path)
	for range 11 {
		send(t, sender, "x")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sender.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	lent(t, w, func(f transport.File) {
		if n, err := sender.Send([]byte("held"), []transport.File{f}, nil); n != 0 || err != os.ErrDeadlineExceeded {
			t.Errorf("%d, %v", n, err)
		}
		sender.SetWriteDeadline(time.Time{})
		if err := s.CloseRead(); err != nil {
			t.Error(err)
		}
		if n, err := sender.Send([]byte("refused"), []transport.File{f}, nil); n != 0 || err != syscall.EPIPE {
			t.Errorf("%d, %v", n, err)
		}
	})
	w.Close()
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		t.Errorf("a copy is open: %v", err)
	}
}

// lent shows the descriptor of f.
func lent(t *testing.T, f *os.File, use func(transport.File)) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { use(transport.File{Value: fd}) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// silent is a receiver that takes links in by hand, and says nothing to what comes on them.
func silent(t *testing.T) (links chan *enemy, name string) {
	t.Helper()
	name = filepath.Join(testenv.TempDir(t), "d")
	source, err := newSource(name, sock.Datagram)
	if err != nil {
		t.Fatal(err)
	}
	links = make(chan *enemy, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			p, err := source.Accept()
			if err != nil {
				return
			}
			e := &enemy{t: t, pipe: p}
			greeting, err := e.hear()
			if err != nil {
				p.Close()
				continue
			}
			h, _ := wire.ParseHello(greeting.Payload)
			p.Identify(h.Proof)
			e.hello(sock.Datagram, func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Socket = wire.FromServer, 7 })
			links <- e
		}
	}()
	t.Cleanup(func() { source.Close(); <-done })
	return links, name
}

// P3: if nobody answers, not even to the withdrawal, the outcome is unknown, and says so as
// WriteMsg does.
func TestOutcomeOfADatagramIsUnknown(t *testing.T) {
	links, name := silent(t)
	s := linked(t, name)
	e := <-links
	defer e.pipe.Close()
	s.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := s.Write([]byte("lost?")); n != 5 || err != os.ErrDeadlineExceeded {
		t.Errorf("%d, %v", n, err)
	}
	// The next one is told apart from it.
	s.SetWriteDeadline(time.Time{})
	sent := start(func() (int, error) { return s.Write([]byte("next")) })
	for {
		p, err := e.hear()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(p.Payload, []byte("next")) {
			e.packet(wire.Packet{Type: wire.Ack, Serial: p.Serial})
			break
		}
	}
	if o := <-sent; o.n != 4 || o.err != nil {
		t.Errorf("%+v", o)
	}
}

// A receiver that cheats ends the link; to the sender it is gone.
func TestReceiversThatCheat(t *testing.T) {
	for name, answer := range map[string]wire.Packet{
		"data the wrong way":              datagram(1, "x"),
		"refusal of what was never sent":  {Type: wire.Refuse, Serial: 9},
		"withdrawal by the one who reads": {Type: wire.Ack, Serial: 9},
	} {
		t.Run(name, func(t *testing.T) {
			links, path := silent(t)
			s := linked(t, path)
			e := <-links
			defer e.pipe.Close()
			e.packet(answer)
			e.untilHungUp()
			if _, err := s.Write([]byte("x")); err != syscall.ECONNREFUSED {
				t.Errorf("%v, want ECONNREFUSED", err)
			}
			if _, err := s.Write([]byte("x")); err != syscall.ENOTCONN {
				t.Errorf("%v, want ENOTCONN", err)
			}
		})
	}
}

// A deadline and Close end a send whose link is being opened, by somebody who does not answer.
func TestSendToWhoDoesNotAnswer(t *testing.T) {
	name := filepath.Join(testenv.TempDir(t), "d")
	source, err := newSource(name, sock.Datagram)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	s, _ := bound(t, endpoint.Config{})
	to := &net.UnixAddr{Name: name, Net: "unixgram"}
	s.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := s.Send([]byte("x"), nil, to); n != 0 || err != os.ErrDeadlineExceeded {
		t.Errorf("%d, %v", n, err)
	}
	s.SetWriteDeadline(time.Time{})
	failed := start(func() (int, error) { return s.Send([]byte("x"), nil, to) })
	accepted, err := source.Accept() // the first one's, which is closed
	if err != nil {
		t.Fatal(err)
	}
	accepted.Close()
	accepted, err = source.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	s.Close()
	if o := <-failed; o.n != 0 || o.err != net.ErrClosed {
		t.Errorf("%+v", o)
	}
}

// Everything says that the socket is closed.
func TestClosedPacketConn(t *testing.T) {
	s, path := bound(t, endpoint.Config{})
	c := linked(t, path)
	for _, s := range []*endpoint.PacketConn{c, s} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, read := s.Read(make([]byte, 1))
		_, write := s.Write([]byte("x"))
		_, to := s.Send([]byte("x"), nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		for what, err := range map[string]error{
			"Read": read, "Write": write, "Send": to, "Close": s.Close(),
			"CloseRead": s.CloseRead(), "CloseWrite": s.CloseWrite(), "SetDeadline": s.SetDeadline(time.Time{}),
			"SetReadBuffer": s.SetReadBuffer(1), "SetWriteBuffer": s.SetWriteBuffer(1), "SetPassCredentials": s.SetPassCredentials(true),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
