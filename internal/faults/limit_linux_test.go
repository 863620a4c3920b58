package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/testenv"
)

// A process is out of descriptors (RLIMIT_NOFILE) while it receives, sends, accepts or dials. It is
// told so, and nothing is lost but what had no room. Once it has descriptors again everything goes
// on.

func init() { parts["pauper"] = playPauper }

// A pauper is that process: what it does is its errand's flow.
const (
	accepts flow = "accepts"
	dials   flow = "dials"
)

// What a pauper says, and is told.
const (
	poor = "poor"
	rich = "rich"
)

// rooms are for how many descriptors there is room, one after the other.
const rooms = 4

func exhaustDescriptors(r *round) error {
	for _, network := range []string{"unix", "unixpacket"} {
		for flow, deal := range map[flow]func(*pauper) error{
			receives: (*pauper).giveTooMuch, sends: (*pauper).takeWhatItSends, accepts: (*pauper).dialIt, dials: (*pauper).acceptIt,
		} {
			p := &pauper{round: r, errand: errand{Part: "pauper", Transport: r.transport, Network: network, Path: r.path(), Flow: flow}}
			p.Dials = flow != accepts
			if err := p.run(deal); err != nil {
				return fmt.Errorf("%s, it %s: %w", network, flow, err)
			}
		}
	}
	return nil
}

// A pauper as its parent sees it.
type pauper struct {
	*round
	errand
	w *worker
	l *afunix.Listener // nil if it is the pauper who listens
}

func (p *pauper) run(deal func(*pauper) error) (err error) {
	if p.Dials {
		l, err := listenTo(p.errand)
		if err != nil {
			return err
		}
		defer l.Close()
		p.l = l.(*afunix.Listener)
		if err := p.l.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	if p.w, err = p.start(); err != nil {
		return err
	}
	defer p.w.discard()
	return errors.Join(deal(p), p.w.finish())
}

// meet returns the next connection of the pauper's.
func (p *pauper) meet() (*afunix.Conn, error) {
	c, err := p.l.AcceptConn()
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// playPauper does what it does with less and less room.
func playPauper(h *household, e errand) error {
	g, err := openGoods()
	if err != nil {
		return err
	}
	defer g.close()
	before, err := countWarm(e.Transport, g)
	if err != nil {
		return err
	}
	play := map[flow]func(*household, errand, *goods) error{receives: receivePoorly, sends: sendPoorly, accepts: acceptPoorly, dials: dialPoorly}[e.Flow]
	return errors.Join(play(h, e, g), before.settle())
}

// receivePoorly has no room for some of three descriptors: it gets the data, and is told. None of
// the three stays open.
func receivePoorly(h *household, e errand, g *goods) error {
	c, err := e.connect(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for room := range rooms - 1 {
		earn, err := testenv.LeaveRoom(room)
		if err != nil {
			return err
		}
		if err := h.say(poor); err != nil {
			return err
		}
		m, err := c.ReadMsg(make([]byte, labelSize))
		if !errors.Is(err, afunix.ErrRightsTruncated) || len(m.Data) != labelSize || m.Rights.Len() != 0 {
			return fmt.Errorf("with room for %d of 3: %q with %d descriptors, %w", room, m.Data, m.Rights.Len(), err)
		}
		if text, err := c.ReadMsg(make([]byte, labelSize)); err != nil || string(text.Data) != rich {
			return fmt.Errorf("then: %q, %w", text.Data, err)
		}
		if err := errors.Join(earn(), h.say(rich)); err != nil {
			return err
		}
		if _, err := receive(c); err != nil {
			return fmt.Errorf("with room for all: %w", err)
		}
	}
	return nil
}

// giveTooMuch sends what is too much, and then what is not.
func (p *pauper) giveTooMuch() error {
	c, err := p.meet()
	if err != nil {
		return err
	}
	defer c.Close()
	for range rooms - 1 {
		if err := p.w.await(poor); err != nil {
			return err
		}
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err := c.WriteMsg(label{}.text(), w, w, w); err != nil {
			return err
		}
		if _, err := c.Write([]byte(rich)); err != nil {
			return err
		}
		if err := errors.Join(w.Close(), r.SetReadDeadline(time.Now().Add(patience)), p.w.await(rich)); err != nil {
			return err
		}
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			return fmt.Errorf("a descriptor for which there was no room: %w", err)
		}
		if err := p.goods.send(c, 0, 1, 3); err != nil {
			return err
		}
	}
	return nil
}

// sendPoorly has no room for the copies that the pipe transport parks; the kernel needs none. What
// has no descriptors goes all the same.
func sendPoorly(h *household, e errand, g *goods) error {
	c, err := e.connect(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for room := range rooms - 1 {
		earn, err := testenv.LeaveRoom(room)
		if err != nil {
			return err
		}
		err = g.send(c, 0, 0, 3)
		if e.Transport == afunix.PipeTransport {
			err = among(err, unix.EMFILE)
		}
		if err != nil {
			return fmt.Errorf("with room for %d of 3: %w", room, err)
		}
		if err := errors.Join(g.send(c, 1, 0, 0), earn(), g.send(c, 2, 1, 3)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pauper) takeWhatItSends() error {
	c, err := p.meet()
	if err != nil {
		return err
	}
	defer c.Close()
	senders := []int{0, 1, 2}
	if p.Transport == afunix.PipeTransport {
		senders = senders[1:]
	}
	for range rooms - 1 {
		for _, want := range senders {
			if l, err := receive(c); err != nil || l.sender != want {
				return fmt.Errorf("received %+v; want message %d: %w", l, want, err)
			}
		}
	}
	return nil
}

// acceptPoorly is told EMFILE, as long as there is no room. A client that dials then waits; or it
// is refused where there is room for the connection, but not for the descriptor that shows who the
// client is. The listener goes on.
func acceptPoorly(h *household, e errand, g *goods) error {
	l, err := (&afunix.ListenConfig{Transport: e.Transport}).Listen(context.Background(), e.Network, e.Path)
	if err != nil {
		return err
	}
	defer l.Close()
	for room := range rooms {
		earn, err := testenv.LeaveRoom(room)
		if err != nil {
			return err
		}
		if err := errors.Join(h.say(poor), l.SetDeadline(time.Now().Add(patience))); err != nil {
			return err
		}
		if room == 0 {
			if c, err := l.AcceptConn(); !errors.Is(err, unix.EMFILE) {
				return fmt.Errorf("accepted %v, %w; want EMFILE", c, err)
			}
		}
		if err := errors.Join(h.await(rich), earn(), h.say(rich)); err != nil {
			return err
		}
		for seen := false; !seen; {
			c, err := l.AcceptConn()
			if errors.Is(err, unix.EMFILE) {
				continue // it was told so just before there was room
			}
			if err != nil {
				return err
			}
			m, err := receive(c)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			seen = err == nil && m.number == room
			if err := c.Close(); err != nil {
				return err
			}
		}
		if err := h.say("accepted"); err != nil {
			return err
		}
	}
	return nil
}

// dialIt dials a listener that has no room, and again when it has.
func (p *pauper) dialIt() error {
	for room := range rooms {
		if err := p.w.await(poor); err != nil {
			return err
		}
		dialled := make(chan error, 1)
		go func() {
			c, err := dialFrom(p.errand, "")
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
		if err := errors.Join(p.w.say(rich), p.w.await(rich)); err != nil {
			return err
		}
		if err := <-dialled; err != nil {
			if err := among(err, unix.ECONNREFUSED); err != nil {
				return fmt.Errorf("with room for %d there: %w", room, err)
			}
		}
		c, err := dialFrom(p.errand, "")
		if err != nil {
			return err
		}
		if err := errors.Join(p.goods.send(c, 0, room, 1), c.Close(), p.w.await("accepted")); err != nil {
			return fmt.Errorf("after room for %d there: %w", room, err)
		}
	}
	return nil
}

// dialPoorly is told EMFILE.
func dialPoorly(h *household, e errand, g *goods) error {
	for room := range rooms {
		earn, err := testenv.LeaveRoom(room)
		if err != nil {
			return err
		}
		c, err := dialFrom(e, "")
		if err == nil {
			err = c.Close()
		} else {
			err = among(err, unix.EMFILE)
		}
		if err := errors.Join(err, earn()); err != nil {
			return fmt.Errorf("with room for %d: %w", room, err)
		}
	}
	c, err := e.connect(nil)
	if err != nil {
		return err
	}
	return errors.Join(g.send(c, 0, 1, 3), c.Close(), h.say(rich))
}

// acceptIt accepts the connections, of which the last is whole.
func (p *pauper) acceptIt() error {
	for {
		c, err := p.meet()
		if err != nil {
			return err
		}
		_, err = receive(c)
		if err := c.Close(); err != nil {
			return err
		}
		if err == nil {
			return p.w.await(rich)
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
}
