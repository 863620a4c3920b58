//go:build linux || windows

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"afunix"
)

// A victim is a worker that is killed while it does what its errand says. It tells what it has
// done, each thing once that is done, so that its parent knows from the lines what it had been
// promised.

// A flow is in which direction messages go.
type flow string

const (
	sends    flow = "sends" // the victim does
	receives flow = "receives"
	both     flow = "both"
)

// What a victim says.
const (
	listening = "listening"
	sentLine  = "sent"
	gotLine   = "got"
)

// A victimEnd is the victim's end of the connection, whose descriptors a victim on Windows uses by
// way of its own steps.
type victimEnd interface {
	send(number int) error
	receive() (number int, err error)
	Close() error
}

// filesBeside is how many files message number has: a few, and now and then many.
func filesBeside(number int) int {
	if number%16 == 15 {
		return manyFiles
	}
	return 1 + number%3
}

func playVictim(h *household, e errand) error {
	g, err := openGoods()
	if err != nil {
		return err
	}
	if err := beginSteps(e); err != nil {
		return err
	}
	c, err := e.open(h, g)
	if err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() { received <- e.receiveAll(h, c) }()
	if err := errors.Join(e.sendAll(h, c), <-received); err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	return endSteps(h, e)
}

func (e errand) sendAll(h *household, c victimEnd) error {
	if e.Flow == receives {
		return nil
	}
	for i := range e.Messages {
		if err := c.send(i); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if err := h.say("%s %d", sentLine, i); err != nil {
			return err
		}
	}
	return nil
}

func (e errand) receiveAll(h *household, c victimEnd) error {
	if e.Flow == sends {
		return nil
	}
	for i := range e.Messages {
		n, err := c.receive()
		if err == nil && n != i {
			err = fmt.Errorf("it is %d", n)
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if err := h.say("%s %d", gotLine, i); err != nil {
			return err
		}
	}
	return nil
}

// overAPI is an end over the public API.
type overAPI struct {
	*afunix.Conn
	g *goods
}

func (c overAPI) send(number int) error { return c.g.send(c.Conn, 0, number, filesBeside(number)) }

func (c overAPI) receive() (int, error) {
	l, err := receive(c.Conn)
	return l.number, err
}

// openOverAPI dials, or listens and accepts.
func (e errand) openOverAPI(h *household, g *goods) (victimEnd, error) {
	c, err := e.connect(func() error { return h.say(listening) })
	if err != nil {
		return nil, err
	}
	return overAPI{c, g}, nil
}

// connect connects with the other process. The process that listens calls ready as soon as it can
// be dialled.
func (e errand) connect(ready func() error) (*afunix.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var c *afunix.Conn
	var err error
	switch {
	case e.Dials:
		c, err = (&afunix.Dialer{Transport: e.Transport}).DialContext(ctx, e.Network, e.Path)
	case e.Network == "unixgram":
		if c, err = (&afunix.ListenConfig{Transport: e.Transport}).ListenPacket(ctx, e.Network, e.Path); err == nil {
			err = ready()
		}
	default:
		c, err = e.accept(ctx, ready)
	}
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

func (e errand) accept(ctx context.Context, ready func() error) (*afunix.Conn, error) {
	l, err := (&afunix.ListenConfig{Transport: e.Transport}).Listen(ctx, e.Network, e.Path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err := errors.Join(l.SetDeadline(time.Now().Add(patience)), ready()); err != nil {
		return nil, err
	}
	return l.AcceptConn()
}

// A report is what a victim has said until its end.
type report struct{ sent, got, steps int }

func readReport(lines []string) (r report, err error) {
	for _, line := range lines {
		var word string
		var n int
		if _, err := fmt.Sscan(line, &word, &n); err != nil {
			return r, fmt.Errorf("the victim says %q: %w", line, err)
		}
		switch {
		case word == sentLine && n == r.sent:
			r.sent++
		case word == gotLine && n == r.got:
			r.got++
		case word == stepsLine:
			r.steps = n
		default:
			return r, fmt.Errorf("the victim says %q after %+v", line, r)
		}
	}
	return r, nil
}

// listenTo listens, or binds a datagram socket.
func listenTo(e errand) (io.Closer, error) {
	lc := afunix.ListenConfig{Transport: e.Transport}
	if e.Network == "unixgram" {
		return lc.ListenPacket(context.Background(), e.Network, e.Path)
	}
	return lc.Listen(context.Background(), e.Network, e.Path)
}

// dialFrom dials, from the address local if that is not "".
func dialFrom(e errand, local string) (*afunix.Conn, error) {
	d := afunix.Dialer{Transport: e.Transport, Timeout: patience}
	if local != "" {
		d.LocalAddr = &net.UnixAddr{Name: local, Net: e.Network}
	}
	return d.DialContext(context.Background(), e.Network, e.Path)
}
