package endpoint

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Config is what both sides of a connection, and a listener, are made with.
type Config struct {
	Type      sock.Type
	Local     string                       // the name that this end is bound to; "" if it is not
	Authorize func(cred.Credentials) error // an error refuses the peer; nil lets everybody in
	Table     descriptor.Table             // nil means descriptor.System
	Autobind  Autobind                     // for a socket without a name that wants credentials; nil: it stays without
	World     *World                       // what ends that move need; nil: none can
}

// A World is what an end needs in the process that it moves to (P8).
type World struct {
	System pipe.Opener
	pipe.Network
	Autobind func(sock.Type) Autobind
}

// Autobind binds a name of the system's choice, which is free again when it is closed.
type Autobind func() (name string, bound io.Closer, err error)

func (cfg *Config) table() descriptor.Table {
	if cfg.Table == nil {
		return descriptor.System
	}
	return cfg.Table
}

// Dial makes a connection of a pipe whose other end a Listener has. It owns p, which is closed on
// an error. The errors are EAGAIN if the backlog is full or the other side out of descriptors for
// long, ETIMEDOUT if it says nothing for a minute, EPROTOTYPE if the socket is of another type,
// ECONNREFUSED if the other side does not want us, what Authorize says, and that of ctx.
func Dial(ctx context.Context, p pipe.Pipe, cfg Config) (*Conn, error) {
	c := newConn(p, cfg, false, sock.RightsWindow)
	if err := c.dial(ctx, cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// dial completes the session of a pipe whose other end listens: see Dial.
func (c *session) dial(ctx context.Context, cfg Config) error {
	stop := context.AfterFunc(ctx, func() { c.pipe.Close() })
	err := c.greet(cfg)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.pipe.Close()
		return err
	}
	go c.turn.run()
	return nil
}

// greet says the client's hello, and takes in the server's.
func (c *session) greet(cfg Config) error {
	if err := c.hello(wire.HelloBody{}, 0, cfg.Local); err != nil {
		return err
	}
	h, name, err := c.awaitHello()
	if err != nil {
		return err
	}
	if err := refusal(h.Status); err != nil {
		return err
	}
	who, can, err := c.pipe.Identify(h.Proof)
	if err != nil {
		return err
	}
	if cfg.Authorize != nil {
		if err := cfg.Authorize(who); err != nil {
			return err
		}
	}
	if err := c.pipe.Answer(); err != nil {
		return err
	}
	c.remote = address(c.typ, name)
	c.peer.meet(who, can)
	c.agree(pipe.Ability(h.Ability), can)
	ready := wire.Packet{Type: wire.Ready, Payload: []byte{byte(can)}}
	if err := c.writeFirst(&ready); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return nil // even if the server has closed meanwhile: it had accepted, and may have sent something
}

// answerTimeout bounds the wait for the server's hello, for those who have not bounded it
// otherwise. It is long, since the other side may ask others who we are (Authorize), and not for
// ever, since it may not be running.
const answerTimeout = time.Minute

// awaitHello reads the server's hello: ETIMEDOUT if it does not come.
func (c *session) awaitHello() (h wire.HelloBody, name string, err error) {
	late := time.AfterFunc(answerTimeout, c.pipe.Interrupt)
	h, name, err = c.readHello(wire.FromServer)
	if late.Stop() {
		return h, name, err
	}
	c.pipe.Resume()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = syscall.ETIMEDOUT
	}
	return h, name, err
}

// agree notes how descriptors travel, and that they may. What a side can do is over the other.
func (c *session) agree(server, client pipe.Ability) {
	c.peer.elect(c.server, server, client)
	c.out.shift.Agree()
}

// refusal translates a server's answer.
func refusal(s wire.Status) error {
	switch s {
	case wire.OK:
		return nil
	case wire.Full:
		return syscall.EAGAIN
	case wire.WrongType:
		return syscall.EPROTOTYPE
	case wire.NotPermitted:
		return syscall.EPERM
	}
	return syscall.ECONNREFUSED
}

// hello writes our hello: h, completed by what is the same in each.
func (c *session) hello(h wire.HelloBody, flags uint8, name string) (err error) {
	if h.Proof, err = c.pipe.Proof(); err != nil {
		return err
	}
	return c.writeFirst(c.helloPacket(h, flags, name))
}

// helloPacket completes h by what is the same in each hello.
func (c *session) helloPacket(h wire.HelloBody, flags uint8, name string) *wire.Packet {
	h.SocketType = uint8(c.typ)
	h.Socket = c.id
	h.Window = c.out.box.Window()
	h.Rights = c.in.box.Granted()
	if c.pass {
		flags |= wire.PassCredentials
	}
	return &wire.Packet{Type: wire.Hello, Flags: flags, Name: []byte(name), Payload: h.Append(nil)}
}

// writeFirst writes a packet of the handshake. An empty pipe has room for it.
func (c *session) writeFirst(p *wire.Packet) error {
	err := c.pipe.Write(p.AppendHead(nil), p.Payload)
	if errors.Is(err, syscall.EPIPE) {
		return syscall.ECONNREFUSED // the other side has closed already
	}
	return err
}

// readHello reads the peer's hello, which must have the given role flag.
func (c *session) readHello(role uint8) (wire.HelloBody, string, error) {
	buf, n, _, err := c.pipe.Read(&packets, nil)
	if err != nil {
		return wire.HelloBody{}, "", unreachable(err)
	}
	defer packets.Put(buf)
	p, err := wire.Parse(buf[:n])
	if err != nil {
		return wire.HelloBody{}, "", failure(err)
	}
	if p.Type != wire.Hello || p.Flags&wire.FromServer != role {
		return wire.HelloBody{}, "", failure(errRole)
	}
	h, err := wire.ParseHello(p.Payload)
	if err != nil {
		return wire.HelloBody{}, "", failure(err)
	}
	if err := c.in.box.SetWindow(h.Window); err != nil {
		return wire.HelloBody{}, "", failure(err)
	}
	c.out.box.Grant(h.Rights)
	c.peer.id = h.Socket
	c.peer.pass = p.Flags&wire.PassCredentials != 0
	h.Proof = append([]byte(nil), h.Proof...) // buf goes back
	return h, string(p.Name), nil
}

// unreachable translates the end of a pipe on which no hello came: nobody is listening any more.
func unreachable(err error) error {
	switch {
	case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, syscall.EMSGSIZE):
		return failure(err)
	}
	return syscall.ECONNREFUSED
}

// welcome takes in a client's hello and answers it. heard is called when it has come. admit is asked last, and says how many
// descriptors may come before the connection is accepted, or why it may not come in. os.ErrDeadlineExceeded: the pipe was interrupted
// before the client has said anything.
func (c *session) welcome(cfg Config, heard func(), admit func() (rightsWindow int, s wire.Status)) error {
	h, name, err := c.readHello(0)
	if err != nil {
		return err
	}
	heard()
	if sock.Type(h.SocketType) != c.typ {
		return c.refuse(wire.WrongType, syscall.EPROTOTYPE)
	}
	who, can, err := c.pipe.Identify(h.Proof)
	if err != nil {
		return err
	}
	if cfg.Authorize != nil {
		if err := cfg.Authorize(who); err != nil {
			return c.refuse(wire.Refused, err)
		}
	}
	if s := c.above.permits(who); s != wire.OK {
		return c.refuse(s, refusal(s))
	}
	window, status := admit()
	if status != wire.OK {
		return c.refuse(status, refusal(status))
	}
	c.in.box.Grant(window)
	c.remote = address(c.typ, name)
	c.peer.meet(who, can)
	return c.hello(wire.HelloBody{Ability: uint8(can)}, wire.FromServer, cfg.Local)
}

// refuse tells the client why it may not come in, and returns err.
func (c *session) refuse(s wire.Status, err error) error {
	if werr := c.hello(wire.HelloBody{Status: s}, wire.FromServer, ""); werr != nil {
		return werr
	}
	return err
}

// peerReadyLocked notes what the peer has said it can do, once it has proved which process it is.
func (c *session) peerReadyLocked(p *wire.Packet) error {
	switch counts, err := c.out.shift.Readies(); {
	case err != nil || !counts:
		return err
	case !c.confirmedLocked():
		return errUnproved
	}
	if peer := pipe.Ability(p.Payload[0]); c.server {
		c.agree(c.peer.can, peer)
	} else {
		c.agree(peer, c.peer.can)
	}
	c.out.cond.Broadcast()
	return nil
}

// confirmedLocked asks the pipe, with mu released: only the one who reads it changes what
// peerReadyLocked has looked at.
func (c *session) confirmedLocked() bool {
	c.mu.Unlock()
	defer c.mu.Lock()
	return c.pipe.Confirmed()
}

// noName is how package net shows that there is none.
const noName = "@"

// address is how package net shows a name: an end without one is "@", and an abstract name ends at its first NUL (row 188).
func address(t sock.Type, name string) *net.UnixAddr {
	if name == "" {
		name = noName
	}
	name, _, _ = strings.Cut(name, "\x00")
	return &net.UnixAddr{Name: name, Net: t.Network()}
}

// Pair makes a connection of the two ends of one pipe of this process. It owns both, which are closed on an error.
func Pair(a, b pipe.Pipe, cfg Config) (*Conn, *Conn, error) {
	server, client := newConn(a, cfg, true, sock.RightsWindow), newConn(b, cfg, false, sock.RightsWindow)
	welcomed := make(chan error, 1)
	go func() {
		err := server.welcome(cfg, func() {}, func() (int, wire.Status) { return sock.RightsWindow, wire.OK })
		if err != nil {
			a.Close() // the client must not wait for an answer
		}
		welcomed <- err
	}()
	err := client.greet(cfg)
	if err != nil {
		b.Close()
	}
	if err := errors.Join(err, <-welcomed); err != nil {
		a.Close()
		b.Close()
		return nil, nil, err
	}
	go server.turn.run()
	go client.turn.run()
	return server, client, nil
}
