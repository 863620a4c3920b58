//go:build linux || windows

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// The other process is suspended. Every call with a deadline keeps it, Close does not wait, and
// when the other goes on, so does everything: what was sent arrives, once and in order, and nothing
// else.

// An absentee has three connections that it has accepted: one for messages with descriptors, one
// for bytes, and one on which it does nothing. It tells of each message that it has received, and
// of all the bytes.
func playAbsentee(h *household, e errand) error {
	g, err := openGoods()
	if err != nil {
		return err
	}
	defer g.close()
	before, err := countWarm(e.Transport, g)
	if err != nil {
		return err
	}
	l, err := (&afunix.ListenConfig{Transport: e.Transport}).Listen(context.Background(), e.Network, e.Path)
	if err != nil {
		return err
	}
	if err := h.say(listening); err != nil {
		return err
	}
	var conns [3]*afunix.Conn
	for i := range conns {
		if conns[i], err = l.AcceptConn(); err != nil {
			return err
		}
	}
	bytes := make(chan int64, 1)
	go func() {
		bytes <- countBytes(conns[1])
	}()
	for {
		m, err := receive(conns[0])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := errors.Join(h.say("%s %d", gotLine, m.number), g.send(conns[0], 0, m.number, 1)); err != nil {
			return err
		}
	}
	if err := errors.Join(h.say("bytes %d", <-bytes), h.await("close")); err != nil {
		return err
	}
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return before.settle()
}

// plainBytes is the size of each Write without descriptors.
const plainBytes = 100_000

// countBytes reads up to the end. An error shows in the number.
func countBytes(c *afunix.Conn) (total int64) {
	for buf := make([]byte, plainBytes); ; {
		n, err := c.Read(buf)
		if err != nil {
			return total
		}
		total += int64(n)
	}
}

func suspendPeer(r *round) error {
	for _, network := range []string{"unix", "unixpacket"} {
		if err := r.suspendOver(network); err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
	}
	return nil
}

func (r *round) suspendOver(network string) error {
	e := errand{Part: "absentee", Transport: r.transport, Network: network, Path: r.path()}
	w, err := e.start()
	if err != nil {
		return err
	}
	defer w.discard()
	if err := w.await(listening); err != nil {
		return err
	}
	s := &suspension{round: r, errand: e, w: w}
	for i := range s.conns {
		if s.conns[i], err = dialFrom(e, ""); err != nil {
			return err
		}
		defer s.conns[i].Close()
	}
	return s.run()
}

// A suspension is one go.
type suspension struct {
	*round
	errand
	w     *worker
	conns [3]*afunix.Conn
	next  int   // number of the next message
	sent  []int // the messages that went
	bytes int64
}

// soon is the deadline of calls that cannot succeed before the other process goes on.
func soon() time.Time { return time.Now().Add(20 * time.Millisecond) }

func (s *suspension) run() error {
	if err := s.whileItRuns(); err != nil {
		return err
	}
	if err := s.whileItIsSuspended(); err != nil {
		return fmt.Errorf("while it is suspended: %w", err)
	}
	if err := testenv.Resume(s.w.cmd.Process); err != nil {
		return err
	}
	if err := s.afterwards(); err != nil {
		return fmt.Errorf("once it goes on: %w", err)
	}
	s.tally.descriptors += 2 * len(s.sent)
	s.tally.bytes += s.bytes
	return nil
}

// whileItRuns sends messages, and suspends the other process in the middle of that, at some moment.
func (s *suspension) whileItRuns() error {
	suspended := make(chan error, 1)
	after := time.Duration(s.random.Int64N(int64(20 * time.Millisecond)))
	time.AfterFunc(after, func() { suspended <- testenv.Suspend(s.w.cmd.Process) })
	for {
		select {
		case err := <-suspended:
			return err
		default:
		}
		if err := s.send(soon()); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err := s.conns[0].SetReadDeadline(soon()); err != nil {
			return err
		}
		if _, err := receive(s.conns[0]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// send sends a message, and notes whether it went.
func (s *suspension) send(deadline time.Time) error {
	if err := s.conns[0].SetWriteDeadline(deadline); err != nil {
		return err
	}
	number := s.next
	s.next++
	err := s.goods.send(s.conns[0], 0, number, 1)
	if unsure := (*onItsWay)(nil); err == nil || errors.As(err, &unsure) {
		s.sent = append(s.sent, number)
	}
	return err
}

func (s *suspension) whileItIsSuspended() error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"WriteMsg", func() error { return s.untilFull(func() error { return s.send(soon()) }) }},
		{"Write", func() error { return s.untilFull(s.write) }},
		{"ReadMsg", s.readAll},
		{"Dial", s.dialAgain},
		{"CloseRead", s.conns[2].CloseRead},
		{"Close", s.conns[2].Close},
	} {
		if err := within(step.what, step.do); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// untilFull sends until there is no room.
func (s *suspension) untilFull(send func() error) error {
	for {
		if err := send(); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *suspension) write() error {
	if err := s.conns[1].SetWriteDeadline(soon()); err != nil {
		return err
	}
	n, err := s.conns[1].Write(make([]byte, plainBytes))
	s.bytes += int64(n)
	return err
}

// readAll reads what the other has sent before, and then waits in vain.
func (s *suspension) readAll() error {
	for {
		if err := s.conns[0].SetReadDeadline(soon()); err != nil {
			return err
		}
		if _, err := receive(s.conns[0]); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// dialAgain dials a listener whose process does nothing. Over the kernel that succeeds.
func (s *suspension) dialAgain() error {
	ctx, cancel := context.WithDeadline(context.Background(), soon())
	defer cancel()
	c, err := (&afunix.Dialer{Transport: s.Transport}).DialContext(ctx, s.Network, s.Path)
	switch {
	case err == nil:
		return c.Close()
	case s.Transport == afunix.PipeTransport:
		return among(err, os.ErrDeadlineExceeded, context.DeadlineExceeded)
	}
	return err
}

// afterwards sends some more, and compares what the other has received with what went.
func (s *suspension) afterwards() error {
	received := make(chan error, 1)
	go func() { received <- s.readEchoes() }()
	for range 5 {
		if err := s.send(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	if err := errors.Join(s.conns[0].CloseWrite(), s.conns[1].Close()); err != nil {
		return err
	}
	for _, n := range s.sent {
		if err := s.w.await(fmt.Sprintf("%s %d", gotLine, n)); err != nil {
			return err
		}
	}
	err := errors.Join(s.w.await(fmt.Sprintf("bytes %d", s.bytes)), s.w.say("close"))
	return errors.Join(err, <-received, s.w.finish())
}

// readEchoes reads up to the end.
func (s *suspension) readEchoes() error {
	if err := s.conns[0].SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for {
		if _, err := receive(s.conns[0]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
