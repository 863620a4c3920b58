package difftest

import (
	"afunix"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"time"
)

// flood returns how much it has written, and a checksum of it.
func (w *world) flood(i int, op Op, h Hint, s *socket) Result {
	if w.Reference && !drained(s.conn) {
		return Result{Skipped: "not drained"}
	}
	r, sum := Result{}, crc32.NewIEEE()
	for at := 0; ; at++ {
		data := payload(i<<8+at, op.N)
		n, err := twice(s.conn, w.patience(h), func() (int, error) { return s.conn.Write(data) })
		r.N += n
		sum.Write(data[:n])
		if err != nil {
			r.Err = w.failure(err)
			break
		}
		if r.N > 64<<20 {
			r.Err = Failure{What: "never has to wait"}
			break
		}
	}
	r.Data = fmt.Sprintf("%08x", sum.Sum32())
	return r
}

// drain reads op.N bytes and returns a checksum of them.
func (w *world) drain(op Op, s *socket) Result {
	r, sum := Result{}, crc32.NewIEEE()
	buf := make([]byte, 1<<20)
	for r.N < op.N {
		s.conn.SetDeadline(time.Now().Add(generous))
		n, err := s.conn.Read(buf)
		if err != nil {
			r.Err = w.failure(err)
			break
		}
		r.N += n
		sum.Write(buf[:n])
	}
	r.Data = fmt.Sprintf("%08x", sum.Sum32())
	return r
}

// burst sends from a socket of its own, and closes it before anybody has read.
func (w *world) burst(i int, op Op) (r Result) {
	c, err := (&afunix.ListenConfig{Transport: w.Transport}).ListenPacket(context.Background(), "unixgram", "")
	if err != nil {
		return Result{Err: w.failure(err)}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(generous))
	for j := range op.N {
		_, err := c.WriteMsgTo(burstMessage(i, w.Proc, j), &net.UnixAddr{Name: w.path(op.Name), Net: "unixgram"})
		f := w.failure(err)
		r.Late = append(r.Late, Failure{What: f.What, Op: f.Op, Call: f.Call})
	}
	return r
}

// fill sends from a socket of its own, and closes it when it has to wait. It leaves the messages to
// be read.
func (w *world) fill(i int, op Op, h Hint) (r Result) {
	c, err := (&afunix.ListenConfig{Transport: w.Transport}).ListenPacket(context.Background(), "unixgram", "")
	if err != nil {
		return Result{Err: w.failure(err)}
	}
	defer c.Close()
	const enough = 30
	for r.Err.What == "" && r.N < enough {
		r.Err = w.failure(w.sendOne(c, op, h, i, r.N))
		if r.Err.What == "" {
			r.N++
		}
	}
	return r
}

// sendOne sends message j. The reference has sent op.N, and knows what became of the next one.
func (w *world) sendOne(c *afunix.Conn, op Op, h Hint, i, j int) (err error) {
	h.Waits = h.Waits && j >= op.N
	data := payload(i<<8+j, 8)
	_, err = twice(c, w.patience(h), func() (int, error) {
		return c.WriteMsgTo(data, &net.UnixAddr{Name: w.path(op.Name), Net: "unixgram"})
	})
	return err
}

// patience is how long a call may take of which the reference knows whether it has to wait; only by
// waiting does the reference find out.
func (w *world) patience(h Hint) time.Duration {
	if w.Reference || h.Waits {
		return short
	}
	return generous
}

// twice writes within d, and once more if that was over and nothing had been written: the first
// time it may have been held up by something else.
func twice(c *afunix.Conn, d time.Duration, write func() (int, error)) (n int, err error) {
	for range 2 {
		c.SetDeadline(time.Now().Add(d))
		if n, err = write(); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return n, err
}

func burstMessage(i, proc, j int) []byte { return payload(i<<8+proc<<4+j, 8) }
