package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Peers that lie before there is a connection: Conn.readHello, Conn.welcome, Conn.greet,
// Conn.peerReady.

// greeting says a client's hello, changed by change, or its bytes.
func greeting(change func(p *wire.Packet, h *wire.HelloBody), bytes func(raw []byte)) func(*enemy) {
	return func(e *enemy) {
		proof, err := e.pipe.Proof()
		if err != nil {
			e.t.Fatal(err)
		}
		h := wire.HelloBody{SocketType: uint8(sock.Stream), Window: sock.DefaultWindow, Rights: 1000, Proof: proof}
		p := wire.Packet{Type: wire.Hello}
		if change != nil {
			change(&p, &h)
		}
		p.Payload = h.Append(nil)
		raw := p.Append(nil)
		if bytes != nil {
			bytes(raw[p.HeadLen():])
		}
		e.say(raw)
	}
}

// Of a hello that is refused nobody hears, and the listener goes on; if it was good, the connection
// ends with what came behind it.
func TestP7HostileHandshake(t *testing.T) {
	for _, tt := range []struct {
		name string
		says string // if the hello was good
		do   func(e *enemy)
	}{
		{"nonsense", "", func(e *enemy) { e.say([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }},
		{"a few bytes", "", func(e *enemy) { e.say([]byte{1}) }},
		{"data instead of a hello", "", func(e *enemy) { e.packet(plainData) }},
		{"descriptors instead of a hello", "", func(e *enemy) { e.packet(withRecords(1, 1, e.own())) }},
		{"ready instead of a hello", "", (*enemy).ready},
		{"a server's hello", "", greeting(func(p *wire.Packet, _ *wire.HelloBody) { p.Flags = wire.FromServer }, nil)},
		{"another magic", "", greeting(nil, func(raw []byte) { raw[0]++ })},
		{"another version", "", greeting(nil, func(raw []byte) { raw[4]++ })},
		{"a status that does not exist", "", greeting(nil, func(raw []byte) { raw[8] = 99 })},
		{"a proof beyond the packet", "", greeting(nil, func(raw []byte) { raw[9] = 64 })},
		{"a proof that is too long", "", greeting(func(_ *wire.Packet, h *wire.HelloBody) { h.Proof = make([]byte, 65) }, nil)},
		{"reserved bytes", "", greeting(nil, func(raw []byte) { raw[10] = 1 })},
		{"a window of nothing", "", greeting(func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 0 }, nil)},
		{"a window of 4 GiB", "", greeting(func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 1<<32 - 1 }, nil)},
		{"a type that does not exist", "", greeting(func(_ *wire.Packet, h *wire.HelloBody) { h.SocketType = 77 }, nil)},
		{"hello twice", "protocol error: packet out of place", func(e *enemy) { e.hello(sock.Stream, nil); e.hello(sock.Stream, nil) }},
		{"descriptors before ready", "protocol error: descriptors before they were agreed on", func(e *enemy) {
			e.hello(sock.Stream, nil)
			e.packet(withRecords(1, 1, e.own()))
		}},
		{"a ready that is too long", "malformed packet: type 0x82 with 2 bytes of payload", func(e *enemy) {
			e.hello(sock.Stream, nil)
			e.packet(wire.Packet{Type: wire.Ready, Payload: []byte{1, 2}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			l, path := listen(t, sock.Stream, 0)
			pipe, err := newClient(context.Background(), path, sock.Stream)
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			tt.do(&enemy{t: t, pipe: pipe, file: uint64(file(t).Value)})
			if tt.says != "" {
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ends(t, conn.(*endpoint.Conn), tt.says)
				return
			}
			(&enemy{t: t, pipe: pipe}).untilHungUp()
			good := dial(t, sock.Stream, path)
			send(t, good, "the first that is accepted")
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			recv(t, conn.(*endpoint.Conn), "the first that is accepted", 0)
		})
	}
}

// A hostile server: Dial says EPROTO, or the connection ends with it.
func TestP7HostileServer(t *testing.T) {
	hello := func(e *enemy, change func(*wire.Packet, *wire.HelloBody)) {
		e.hello(sock.Stream, func(p *wire.Packet, h *wire.HelloBody) {
			p.Flags = wire.FromServer
			h.Ability = uint8(pipe.CanPull)
			if change != nil {
				change(p, h)
			}
		})
	}
	for _, tt := range []struct {
		name string
		dial string // what Dial says
		says string // what the connection ends with, if Dial does not fail
		do   func(e *enemy)
	}{
		{"nonsense", "malformed packet: …", "", func(e *enemy) { e.say([]byte("220 mail.example.org ESMTP\r\n")) }},
		{"a few bytes", "malformed packet: 2 bytes are no header", "", func(e *enemy) { e.say([]byte("hi")) }},
		{"a packet that is too large", "message too long", "", func(e *enemy) { e.say(make([]byte, wire.MaxPacket+1)) }},
		{"a client's hello", "protocol error: hello from the wrong side", "", func(e *enemy) { e.hello(sock.Stream, nil) }},
		{"data instead of a hello", "protocol error: hello from the wrong side", "", func(e *enemy) { e.packet(plainData) }},
		{"a status that does not exist", "malformed packet: hello with status 99", "", func(e *enemy) { hello(e, func(_ *wire.Packet, h *wire.HelloBody) { h.Status = 99 }) }},
		{"a window out of range", "protocol error: more data than the window allows", "", func(e *enemy) { hello(e, func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 1 }) }},
		{"ready", "", "protocol error: packet out of place", func(e *enemy) { hello(e, nil); e.ready() }},
		{"a second hello", "", "protocol error: packet out of place", func(e *enemy) { hello(e, nil); hello(e, nil) }},
		{"values in the client's table, which does not trust it", "", "record 0: bad record: owner 1, which was not agreed", func(e *enemy) {
			hello(e, func(_ *wire.Packet, h *wire.HelloBody) { h.Ability = uint8(anybody) })
			r := e.own()
			r.Owner = wire.Receiver
			e.packet(withRecords(1, 1, r))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, c := newFakePipe(kinship{opens, pipe.CanPull, false}, r.serverProc, r.clientProc)
				defer s.Close()
				tt.do(&enemy{t: t, pipe: s, file: uint64(r.open(r.serverProc, descriptor.File, 1)[0].Value)})
				conn, err := endpoint.Dial(context.Background(), c, r.config(r.clientProc, sock.Stream))
				if tt.dial != "" {
					if !errors.Is(err, syscall.EPROTO) || !matches(err, tt.dial) {
						t.Errorf("%v, want EPROTO, and %q", err, tt.dial)
					}
					if !c.isClosed() {
						t.Error("the pipe is open")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ends(t, conn, tt.says)
			})
		})
	}
}

// A peer's name is what it says: it is shown, up to a NUL, and leads nowhere.
func TestP7NamesAreShownAndNothingElse(t *testing.T) {
	for name, shown := range map[string]string{
		"":                              "@",
		"../../etc/passwd":              "../../etc/passwd",
		"/run/other\x00/run/mine":       "/run/other",
		"\x00abstract":                  "",
		`\\server\share\pipe`:           `\\server\share\pipe`,
		"\xff\xfe":                      "\xff\xfe",
		string(make([]byte, 107)) + "x": "",
	} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			l, path := listen(t, sock.Stream, 0)
			pipe, err := newClient(context.Background(), path, sock.Stream)
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			greeting(func(p *wire.Packet, _ *wire.HelloBody) { p.Name = []byte(name) }, nil)(&enemy{t: t, pipe: pipe})
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.RemoteAddr().Name; got != shown {
				t.Errorf("%q, want %q", got, shown)
			}
		})
	}
}

// What a packet says comes after the end counts for nothing.
func TestP7DataAfterTheEnd(t *testing.T) {
	for name, last := range map[string]wire.Packet{
		"goodbye":  {Type: wire.Bye},
		"shutdown": {Type: wire.Shutdown, Flags: wire.ShutWrite},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				inject(t, r.clientPipe, last)
				buf := make([]byte, 9)
				if n, err := r.server.Read(buf); n != 0 || fmt.Sprint(err) != "EOF" {
					t.Errorf("%d, %v", n, err)
				}
				inject(t, r.clientPipe, plainData)
				synctest.Wait()
				if n, err := r.server.Read(buf); n != 0 || !errors.Is(err, syscall.EPROTO) {
					t.Errorf("%q, %v after the end", buf[:n], err)
				}
			})
		})
	}
}
