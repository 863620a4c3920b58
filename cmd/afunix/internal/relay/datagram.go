package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"afunix"
	"afunix/activation"
	"afunix/internal/sockfile"
)

// maxSenders bounds how many senders may be answered at once. The one that has been silent for
// longest makes room for another one.
const maxSenders = 256

// Datagrams passes on the datagrams that come to one address to another. A sender that has a name
// gets a socket of the relay of its own, and what is sent to that goes back to the sender. The
// others share one, and nobody can answer them.
//
// A datagram that the target does not take is lost, with a line in the log: nobody can tell its
// sender.
type Datagrams struct {
	Listen, Target Address
	Config         *afunix.ListenConfig // for Listen
	Idle           time.Duration
	Log            func(line string)
	Verbose        bool

	in      *afunix.Conn
	unlink  func()
	answers sync.WaitGroup
	senders map[string]*sender
	turn    int // of the last datagram
}

// A sender is a socket of the relay that stands for a sender.
type sender struct {
	conn  *afunix.Conn
	used  int         // at which turn
	leave func() bool // the end of the relay no longer closes conn
}

func (s *sender) close() {
	s.leave()
	s.conn.Close()
}

// Bind binds the socket at Listen, or takes it from the service manager. Listen is then the address
// that the socket really has.
func (d *Datagrams) Bind(ctx context.Context) error {
	d.senders = make(map[string]*sender)
	d.unlink = func() {}
	c, err := d.passed(ctx)
	if c == nil && err == nil {
		c, err = d.bind(ctx)
	}
	if err != nil {
		return err
	}
	d.in, d.Listen = c, d.Listen.at(c.LocalAddr())
	return nil
}

func (d *Datagrams) passed(ctx context.Context) (*afunix.Conn, error) {
	sockets, err := activation.Take()
	if err != nil || len(sockets.Names()) == 0 {
		return nil, err
	}
	defer sockets.Close()
	c, err := sockets.PacketConn(ctx, "", d.Listen.Network, d.Listen.Name)
	if err != nil {
		return nil, d.Listen.notPassed(sockets, err)
	}
	return c.(*afunix.Conn), nil
}

func (d *Datagrams) bind(ctx context.Context) (*afunix.Conn, error) {
	path := d.Listen.Name
	c, err := d.Config.ListenPacket(ctx, d.Listen.Network, path)
	if err != nil {
		return nil, err
	}
	if id, err := sockfile.ID(path); err == nil { // an abstract name has no file
		d.unlink = func() { _ = sockfile.Unlink(path, id) } // somebody may have done so
	}
	return c, nil
}

// Serve passes on until ctx ends or Idle is over.
func (d *Datagrams) Serve(ctx context.Context) error {
	defer d.end()
	defer context.AfterFunc(ctx, d.stop)()
	in := Socket(d.in).(*socket)
	for {
		if d.Idle > 0 {
			if err := d.in.SetReadDeadline(time.Now().Add(d.Idle)); err != nil {
				return err
			}
		}
		m, err := in.Receive()
		if ctx.Err() != nil || isTimeout(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.pass(ctx, m); err != nil && ctx.Err() == nil {
			d.Log(err.Error())
		}
		m.Close()
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// stop wakes Serve.
func (d *Datagrams) stop() {
	d.unlink()
	d.in.Close()
}

func (d *Datagrams) end() {
	d.stop()
	for _, s := range d.senders {
		s.close()
	}
	d.answers.Wait()
}

// pass sends one datagram on.
func (d *Datagrams) pass(ctx context.Context, m Message) error {
	s, err := d.senderOf(ctx, m.from)
	if err != nil {
		return err
	}
	_, err = s.conn.WriteMsgTo(m.Data, &net.UnixAddr{Name: d.Target.Name, Net: d.Target.Network}, m.files()...)
	return err
}

// senderOf returns the socket that stands for the sender.
func (d *Datagrams) senderOf(ctx context.Context, from *net.UnixAddr) (*sender, error) {
	d.turn++
	name := ""
	if from != nil {
		name = from.Name
	}
	s := d.senders[name]
	if s == nil {
		d.makeRoom()
		lc := afunix.ListenConfig{Transport: d.Target.Transport}
		c, err := lc.ListenPacket(ctx, d.Target.Network, "")
		if err != nil {
			return nil, err
		}
		s = &sender{conn: c, leave: context.AfterFunc(ctx, func() { c.Close() })} // pass may be waiting for the target
		d.senders[name] = s
		if d.Verbose {
			d.Log(fmt.Sprintf("datagrams from %q at %s to %s", name, d.Listen, d.Target))
		}
		d.answers.Go(func() { d.answer(s, from) })
	}
	s.used = d.turn
	return s, nil
}

// makeRoom closes the socket of the sender that has been silent for longest, if there are too many.
func (d *Datagrams) makeRoom() {
	if len(d.senders) < maxSenders {
		return
	}
	oldest := ""
	for name, s := range d.senders {
		if o := d.senders[oldest]; o == nil || s.used < o.used {
			oldest = name
		}
	}
	d.senders[oldest].close()
	delete(d.senders, oldest)
}

// answer passes on what comes back for a sender.
func (d *Datagrams) answer(s *sender, to *net.UnixAddr) {
	back := Socket(s.conn).(*socket)
	for {
		m, err := back.Receive()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && to != nil {
			_, err = d.in.WriteMsgTo(m.Data, to, m.files()...)
		}
		m.Close()
		if err != nil && !errors.Is(err, net.ErrClosed) {
			d.Log("an answer: " + err.Error())
			if !pause(context.Background()) {
				return
			}
		}
	}
}
