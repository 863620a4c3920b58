package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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

// P7: whatever a peer says by hand, over the fake pipe and over the real one, ends its own
// connection with an error that says what was wrong, leaves nothing behind, and concerns nobody
// else. The files hostile_*_test.go have the attacks, by theme; docs/SECURITY.md lists them.

var rawPackets = sync.Pool{New: func() any { return new(pipe.Buffer) }}

// An enemy is a peer that speaks by hand: a client, but for those of the tests of Dial.
type enemy struct {
	t     testing.TB
	pipe  pipe.Pipe
	file  uint64 // a descriptor of its own, of kind File
	can   pipe.Ability
	cargo func(descriptor.Kind) cargo // makes an end, or what listens, of its own
}

// A cargo is what an end that moves is made of, and the state of its source if it listens.
type cargo struct {
	values []uint64
	state  []byte
}

// An attack is what an enemy does once it is connected.
type attack struct {
	name string
	says string // why the connection has ended; with "…" at its end, how that begins
	typ  sock.Type
	do   func(e *enemy)
}

// on returns the attacks on sockets of type typ.
func on(typ sock.Type, attacks map[string]attack) (list []attack) {
	for name, a := range attacks {
		a.name, a.typ = name, typ
		list = append(list, a)
	}
	return list
}

// assail makes the attacks, one after the other, over both pipes.
func assail(t *testing.T, attacks []attack) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Run("fake pipe", func(t *testing.T) { synctest.Test(t, a.overTheFakePipe) })
			t.Run("real pipe", a.overTheRealPipe)
		})
	}
}

func (a attack) overTheFakePipe(t *testing.T) {
	r := newRig(t, a.typ)
	defer r.end()
	s, c := newFakePipe(kinship{opens, 0, false}, r.serverProc, r.clientProc)
	r.source.pipes <- s
	e := &enemy{t: t, pipe: c, file: uint64(r.open(r.clientProc, descriptor.File, 1)[0].Value), cargo: r.cargo}
	e.hello(a.typ, nil)
	e.welcomed()
	e.ready()
	conn, err := r.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	a.do(e)
	e.untilHungUp()
	ends(t, conn.(*endpoint.Conn), a.says)
	c.Close()
	if good, err := r.dial(a.typ); err != nil {
		t.Errorf("the next client: %v", err)
	} else {
		good.Close()
	}
}

func (a attack) overTheRealPipe(t *testing.T) {
	testenv.NeedPipeRights(t)
	leaktest.Check(t)
	l, path := listen(t, a.typ, 0)
	pipe, err := newClient(context.Background(), path, a.typ)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	e := &enemy{t: t, pipe: pipe, file: uint64(file(t).Value), cargo: func(k descriptor.Kind) cargo { return realCargo(t, k) }}
	e.hello(a.typ, nil)
	e.welcomed()
	e.ready()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	a.do(e)
	e.untilHungUp()
	ends(t, conn.(*endpoint.Conn), a.says)
	good := dial(t, a.typ, path)
	send(t, good, "the listener goes on", file(t))
	next, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	recv(t, next.(*endpoint.Conn), "the listener goes on", 1).Close()
}

// realCargo makes an end, or what listens, of the real pipes of this process.
func realCargo(t testing.TB, k descriptor.Kind) cargo {
	if k == descriptor.UnixListener {
		source, err := newSource(filepath.Join(testenv.TempDir(t), "s"), sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { source.Close() })
		values, state, err := source.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		c := cargo{state: state}
		for _, v := range values {
			c.values = append(c.values, uint64(v))
		}
		return c
	}
	a, b, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	var c cargo
	if err := a.SyscallConn().Control(func(fd uintptr) { c.values = append(c.values, uint64(fd)) }); err != nil {
		t.Fatal(err)
	}
	return c
}

// ends fails unless c's reads end with EPROTO, because of what is said, and its writes with EPIPE.
func ends(t *testing.T, c *endpoint.Conn, says string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1<<16)
	for range 10000 {
		m, err := c.Recv(buf, false)
		m.Rights.Close()
		if err == nil && m.N == 0 && says == "" {
			t.Fatal("a read of a stream gave no bytes and no error")
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.EPROTO) || !matches(err, says) {
			t.Fatalf("%v; want EPROTO, and %q", err, says)
		}
		if _, err := c.Read(buf); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("a second read: %v", err)
		}
		if _, err := c.Write([]byte("x")); err != syscall.EPIPE {
			t.Errorf("write: %v, want EPIPE", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		return
	}
	t.Fatal("it does not end")
}

// matches reports whether err says why a connection has ended.
func matches(err error, says string) bool {
	text := strings.TrimPrefix(err.Error(), "connection ended: ")
	if begins, ok := strings.CutSuffix(says, "…"); ok {
		return strings.HasPrefix(text, begins)
	}
	return text == says
}

// say writes raw bytes as one packet. The other side may have ended the connection already.
func (e *enemy) say(b []byte) {
	for {
		err := e.pipe.Write(b, nil)
		if err == syscall.EAGAIN {
			err = e.pipe.WaitWritable()
		} else if err == syscall.EMSGSIZE {
			b = []byte("hi") // a pipe of Windows takes no such packet: something else that is none will do
			continue
		} else if err == nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func (e *enemy) packet(p wire.Packet) { e.say(p.Append(nil)) }

// hear reads a packet.
func (e *enemy) hear() (wire.Packet, error) {
	impatience := time.AfterFunc(10*time.Second, func() { e.pipe.Close() })
	defer impatience.Stop()
	buf, n, _, err := e.pipe.Read(&rawPackets, nil)
	if err != nil {
		return wire.Packet{}, err
	}
	return wire.Parse(bytes.Clone(buf[:n]))
}

// hearA reads packets until one of type typ comes.
func (e *enemy) hearA(typ wire.Type) wire.Packet {
	e.t.Helper()
	for {
		p, err := e.hear()
		if err != nil {
			e.t.Fatalf("%v, where a packet of type %#x should come", err, typ)
		}
		if p.Type == typ {
			return p
		}
	}
}

// untilHungUp waits until the other side has ended the connection.
func (e *enemy) untilHungUp() {
	e.t.Helper()
	impatience := time.AfterFunc(10*time.Second, func() { e.pipe.Close() })
	for {
		if _, err := e.hear(); err != nil {
			break
		}
	}
	if !impatience.Stop() {
		e.t.Error("the connection goes on")
	}
}

// hello says a client's hello, changed by change.
func (e *enemy) hello(typ sock.Type, change func(*wire.Packet, *wire.HelloBody)) {
	e.t.Helper()
	proof, err := e.pipe.Proof()
	if err != nil {
		e.t.Fatal(err)
	}
	h := wire.HelloBody{SocketType: uint8(typ), Window: sock.DefaultWindow, Rights: 1000, Proof: proof}
	p := wire.Packet{Type: wire.Hello}
	if change != nil {
		change(&p, &h)
	}
	p.Payload = h.Append(nil)
	e.packet(p)
}

// welcomed takes in the server's hello, and shows itself to be who it is.
func (e *enemy) welcomed() wire.HelloBody {
	e.t.Helper()
	p, err := e.hear()
	if err != nil {
		e.t.Fatal(err)
	}
	h, err := wire.ParseHello(p.Payload)
	if err != nil || h.Status != wire.OK {
		e.t.Fatal(h, err)
	}
	if _, e.can, err = e.pipe.Identify(h.Proof); err == nil {
		err = e.pipe.Answer()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return h
}

func (e *enemy) ready() { e.packet(wire.Packet{Type: wire.Ready, Payload: []byte{byte(e.can)}}) }

// withRecords is a packet with n records like r.
func withRecords(serial uint64, n int, r wire.Record) wire.Packet {
	return wire.Packet{Type: wire.Data, Serial: serial, Records: n, Ancillary: bytes.Repeat(r.Append(nil), n), Payload: []byte("x")}
}

// own is a record of a descriptor that the enemy really has.
func (e *enemy) own() wire.Record {
	return wire.Record{Kind: uint8(descriptor.File), Owner: wire.Sender, Value: e.file}
}

func credit(consumed, rights uint64) wire.Packet {
	return wire.Packet{Type: wire.Credit, Payload: wire.CreditBody{Consumed: consumed, Rights: rights}.Append(nil)}
}

// change returns p with byte i set to b: what Append would never write.
func change(p wire.Packet, i int, b byte) []byte {
	raw := p.Append(nil)
	raw[i] = b
	return raw
}

var plainData = wire.Packet{Type: wire.Data, Payload: []byte("x")}
