package endpoint

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A greeting is the handshake of a new session: what is said before anything else.
type greeting struct {
	c   *session
	cfg Config
}

// asClient says the client's hello, and takes in the server's.
func (g *greeting) asClient() error {
	c := g.c
	if err := g.say(wire.HelloBody{}, 0, g.cfg.Local); err != nil {
		return err
	}
	h, name, err := g.await()
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
	if g.cfg.Authorize != nil {
		if err := g.cfg.Authorize(who); err != nil {
			return err
		}
	}
	if err := c.pipe.Answer(); err != nil {
		return err
	}
	c.remote = address(c.typ, cmp.Or(name, g.cfg.Dialled))
	c.peer.meet(who, can)
	c.agree(pipe.Ability(h.Ability), can)
	ready := wire.Packet{Type: wire.Ready, Payload: []byte{byte(can)}}
	if err := g.write(&ready); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return nil // even if the server has closed meanwhile: it had accepted, and may have sent something
}

// answerTimeout bounds the wait for the server's hello, for those who have not bounded it
// otherwise. It is long, since the other side may ask others who we are (Authorize), and not for
// ever, since it may not be running.
const answerTimeout = time.Minute

// await reads the server's hello: ETIMEDOUT if it does not come.
func (g *greeting) await() (h wire.HelloBody, name string, err error) {
	late := time.AfterFunc(answerTimeout, g.c.pipe.Interrupt)
	h, name, err = g.hear(wire.FromServer)
	if late.Stop() {
		return h, name, err
	}
	g.c.pipe.Resume()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = syscall.ETIMEDOUT
	}
	return h, name, err
}

// asServer takes in a client's hello and answers it. heard is called when it has come. admit is
// asked last, and says how many descriptors may come before the connection is accepted, or why it
// may not come in. os.ErrDeadlineExceeded: the pipe was interrupted before the client has said
// anything.
func (g *greeting) asServer(heard func(), admit func() (rightsWindow int, s wire.Status)) error {
	c := g.c
	h, name, err := g.hear(0)
	if err != nil {
		return err
	}
	heard()
	if sock.Type(h.SocketType) != c.typ {
		return g.refuse(wire.WrongType, syscall.EPROTOTYPE)
	}
	who, can, err := c.pipe.Identify(h.Proof)
	if err != nil {
		return err
	}
	if g.cfg.Authorize != nil {
		if err := g.cfg.Authorize(who); err != nil {
			return g.refuse(wire.Refused, err)
		}
	}
	if s := c.above.permits(who); s != wire.OK {
		return g.refuse(s, refusal(s))
	}
	window, status := admit()
	if status != wire.OK {
		return g.refuse(status, refusal(status))
	}
	c.in.box.Grant(window)
	c.remote = address(c.typ, name)
	c.peer.meet(who, can)
	return g.say(wire.HelloBody{Ability: uint8(can)}, wire.FromServer, g.cfg.Local)
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

// refuse tells the client why it may not come in, and returns err.
func (g *greeting) refuse(s wire.Status, err error) error {
	if werr := g.say(wire.HelloBody{Status: s}, wire.FromServer, ""); werr != nil {
		return werr
	}
	return err
}

// say writes our hello: h, completed by what is the same in each.
func (g *greeting) say(h wire.HelloBody, flags uint8, name string) (err error) {
	if h.Proof, err = g.c.pipe.Proof(); err != nil {
		return err
	}
	return g.write(g.c.helloPacket(h, flags, sayable(name)))
}

// write writes a packet of the handshake. An empty pipe has room for it.
func (g *greeting) write(p *wire.Packet) error {
	err := g.c.pipe.Write(p.AppendHead(nil), p.Payload)
	if errors.Is(err, syscall.EPIPE) {
		return syscall.ECONNREFUSED // the other side has closed already
	}
	return err
}

// hear reads the peer's hello, which must have the given role flag.
func (g *greeting) hear(role uint8) (wire.HelloBody, string, error) {
	c := g.c
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

// dial completes the session of a pipe whose other end listens: see Dial.
func (c *session) dial(ctx context.Context, cfg Config) error {
	stop := context.AfterFunc(ctx, func() { c.pipe.Close() })
	g := greeting{c: c, cfg: cfg}
	err := g.asClient()
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
