//go:build linux || windows

package bench

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// CountPackets does w n times over the engine of the pipe transport, on a pipe of this process that
// counts. Receiver is the end that only answers. What one batch costs as a whole, the command and
// its answer, is taken out by doing a longer one, too.
func CountPackets(w Workload, n int) (sender, receiver Tally, err error) {
	a, b, err := system{}.Pair()
	if err != nil {
		return Tally{}, Tally{}, err
	}
	x, y := &countingPipe{Pipe: a}, &countingPipe{Pipe: b}
	server, client, err := endpoint.Pair(x, y, endpoint.Config{Type: sock.Stream})
	if err != nil {
		return Tally{}, Tally{}, err
	}
	s, err := within(engineEnd{server}, engineEnd{client}, w)
	if err != nil {
		return Tally{}, Tally{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var short, long [2]counts
	for _, batch := range []struct {
		n    int
		into *[2]counts
	}{{n, &short}, {3 * n, &long}} {
		fromX, fromY := x.now(), y.now()
		if err := s.Run(batch.n); err != nil {
			return Tally{}, Tally{}, err
		}
		batch.into[0], batch.into[1] = x.now().minus(fromX), y.now().minus(fromY)
	}
	return long[0].minus(short[0]).per(2 * n), long[1].minus(short[1]).per(2 * n), nil
}

// What is counted.
const (
	countData = iota
	countCredit
	countAck
	countOther
	countFull
	countBytes
	countKinds
)

type counts [countKinds]int64

func (c counts) minus(d counts) counts {
	for i := range c {
		c[i] -= d[i]
	}
	return c
}

func (c counts) per(n int) Tally {
	each := func(i int) float64 { return float64(c[i]) / float64(n) }
	return Tally{
		Data: each(countData), Credit: each(countCredit), Ack: each(countAck), Other: each(countOther),
		Full: each(countFull), Bytes: each(countBytes),
	}
}

// A countingPipe counts what is written to the pipe below it.
type countingPipe struct {
	pipe.Pipe
	counted [countKinds]atomic.Int64
	packet  []byte // for looking at; Write is called by one goroutine at a time
}

func (p *countingPipe) now() (c counts) {
	for i := range c {
		c[i] = p.counted[i].Load()
	}
	return c
}

func (p *countingPipe) Write(head, body []byte) error {
	if err := p.Pipe.Write(head, body); err != nil {
		p.counted[countFull].Add(1)
		return err
	}
	p.packet = append(append(p.packet[:0], head...), body...)
	p.counted[p.kind()].Add(1)
	p.counted[countBytes].Add(int64(len(p.packet)))
	return nil
}

func (p *countingPipe) kind() int {
	packet, err := wire.Parse(p.packet)
	switch {
	case err != nil:
		return countOther
	case packet.Type == wire.Data:
		return countData
	case packet.Type == wire.Credit:
		return countCredit
	case packet.Type == wire.Ack:
		return countAck
	}
	return countOther
}

// engineEnd is an end of the engine, below the public API.
type engineEnd struct{ *endpoint.Conn }

var lent = sync.Pool{New: func() any { return new([]transport.File) }}

func (e engineEnd) Pass(data []byte, cargo *Cargo) error {
	files := lent.Get().(*[]transport.File)
	defer lent.Put(files)
	*files = slices.Grow((*files)[:0], len(cargo.values))
	for _, v := range cargo.values {
		*files = append(*files, transport.File{Value: v})
	}
	_, err := e.Send(data, *files, nil)
	return err
}

func (e engineEnd) Receive(buf []byte) (int, error) {
	m, err := e.Recv(buf, false)
	if err != nil {
		return 0, fmt.Errorf("receive: %w", err)
	}
	return m.Rights.Len(), m.Rights.Close()
}
