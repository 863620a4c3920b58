//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"afunix"
)

// Ten million bytes are written to a process that reads a few of them and stops. The writer waits,
// its deadline holds, and neither process grows. Then the reader goes on, and gets all of them; or
// it closes, and the writer is told so.

const (
	manyBytes  = 10_000_000
	pieceBytes = 50_000
	// growth is by how much a process may grow meanwhile: what fits into the window, and half as
	// much again.
	growth = 3 << 20
)

// piece returns what is written at an offset.
func piece(offset int) []byte {
	p := make([]byte, min(pieceBytes, manyBytes-offset))
	for i := range p {
		p[i] = byte((offset + i) % 251)
	}
	return p
}

// A slow reader reads when it is told to.
func playSlow(h *household, e errand) error {
	g, err := openGoods()
	if err != nil {
		return err
	}
	defer g.close()
	before, err := countWarm(e.Transport, g)
	if err != nil {
		return err
	}
	c, err := e.connect(func() error { return h.say(listening) })
	if err != nil {
		return err
	}
	defer c.Close()
	s := slowness{h: h, c: c, before: before, buf: make([]byte, pieceBytes)}
	for {
		order, err := h.hear()
		if errors.Is(err, io.EOF) {
			c.Close() // it may have been told to before
			return before.settle()
		}
		if err != nil {
			return err
		}
		if err := s.obey(order); err != nil {
			return fmt.Errorf("%s: %w", order, err)
		}
	}
}

type slowness struct {
	h      *household
	c      *afunix.Conn
	before counts
	buf    []byte
	offset int
}

func (s *slowness) obey(order string) error {
	switch order {
	case "a few":
		if err := s.readTo(5 * pieceBytes); err != nil {
			return err
		}
	case "grown":
		now, err := count()
		if err != nil {
			return err
		}
		if now.memory > s.before.memory+growth {
			return fmt.Errorf("it has grown from %d to %d KiB", s.before.memory>>10, now.memory>>10)
		}
	case "all":
		if err := s.readTo(manyBytes); err != nil {
			return err
		}
	case "close":
		if err := s.c.Close(); err != nil {
			return err
		}
	}
	return s.h.say("%s: done", order)
}

// readTo reads up to an offset, and checks each byte.
func (s *slowness) readTo(end int) error {
	for s.offset < end {
		n, err := s.c.Read(s.buf)
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", s.offset, err)
		}
		for i, b := range s.buf[:n] {
			if b != byte((s.offset+i)%251) {
				return fmt.Errorf("byte %d is wrong", s.offset+i)
			}
		}
		s.offset += n
	}
	return nil
}

func stopReading(r *round) error {
	for _, network := range []string{"unix", "unixpacket"} {
		for _, order := range []string{"all", "close"} {
			if err := r.stopReadingOver(network, order); err != nil {
				return fmt.Errorf("%s, then %q: %w", network, order, err)
			}
		}
	}
	return nil
}

// asks says an order, and waits until it has been carried out.
func (w *worker) asks(order string) error {
	if err := w.say(order); err != nil {
		return err
	}
	return w.await(order + ": done")
}

func (r *round) stopReadingOver(network, order string) error {
	before, err := count()
	if err != nil {
		return err
	}
	e := errand{Part: "slow", Transport: r.transport, Network: network, Path: r.path()}
	w, err := e.start()
	if err != nil {
		return err
	}
	defer w.discard()
	if err := w.await(listening); err != nil {
		return err
	}
	e.Dials = true
	c, err := e.connect(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	offset, err := writeUntilStuck(c, w)
	if err != nil {
		return err
	}
	now, err := count()
	if err != nil {
		return err
	}
	if now.memory > before.memory+growth {
		return fmt.Errorf("it has grown from %d to %d KiB", before.memory>>10, now.memory>>10)
	}
	if err := w.asks("grown"); err != nil {
		return err
	}
	if err := r.goOn(c, w, order, offset); err != nil {
		return err
	}
	return errors.Join(c.Close(), w.finish())
}

// writeUntilStuck writes until the reader has stopped, and then until deadlines pass in which
// nothing goes. It returns how much went.
func writeUntilStuck(c *afunix.Conn, w *worker) (offset int, err error) {
	if err := w.say("a few"); err != nil {
		return 0, err
	}
	stopped := false // the reader has
	for stuck := 0; stuck < 3; {
		if err := c.SetWriteDeadline(soon()); err != nil {
			return 0, err
		}
		n, err := c.Write(piece(offset))
		offset += n
		switch {
		case err == nil && offset == manyBytes:
			return 0, errors.New("all is written, though nobody reads")
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		case n > 0:
			stuck = 0
		case !stopped && len(w.lines) == 0: // it has not read its few
		case !stopped:
			stopped = true
			if err := w.await("a few: done"); err != nil {
				return 0, err
			}
		default:
			stuck++
		}
	}
	return offset, nil
}

// goOn writes the rest while the reader reads all, or closes.
func (r *round) goOn(c *afunix.Conn, w *worker, order string, offset int) error {
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := w.say(order); err != nil {
		return err
	}
	var err error
	for offset < manyBytes && err == nil {
		var n int
		n, err = c.Write(piece(offset))
		offset += n
	}
	if order == "close" {
		if err == nil {
			return errors.New("all is written, though the reader has closed")
		}
		err = among(err, syscall.EPIPE, syscall.ECONNRESET)
	}
	r.tally.bytes += int64(offset)
	return errors.Join(err, w.await(order+": done"))
}
