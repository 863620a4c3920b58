//go:build linux || windows

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"afunix"
)

// 24 threads in four processes send and receive descriptors both ways, into queues that are full:
// this process has a connection to each of three others, and on each end of each two threads send
// and two receive. Nobody receives on a side before each of its senders has found the queue full.
// Sends have short deadlines, and are tried again. In the end each message was received exactly
// once, and those of a sender in their order.

const (
	stormProcesses = 3
	stormSenders   = 2 // on each end; and as many receivers
)

func runStorm(r *round) error {
	for _, network := range []string{"unix", "unixpacket"} {
		if err := r.stormOver(network); err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
	}
	return nil
}

func (r *round) stormOver(network string) error {
	e := errand{Part: "storm", Transport: r.transport, Network: network, Path: r.path(),
		Dials: true, Messages: manyMessages / 2}
	l, err := (&afunix.ListenConfig{Transport: e.Transport}).Listen(context.Background(), e.Network, e.Path)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var workers []*worker
	var storms []*storm
	for range stormProcesses {
		w, err := e.start()
		if err != nil {
			return err
		}
		defer w.discard()
		c, err := l.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		workers, storms = append(workers, w), append(storms, newStorm(c, r.goods, e.Messages))
	}
	results := make(chan error)
	for _, s := range storms {
		go func() { results <- s.run() }()
	}
	for range storms {
		err = errors.Join(err, <-results)
	}
	for _, w := range workers {
		err = errors.Join(err, w.finish())
	}
	for _, s := range storms {
		r.tally.descriptors += 2 * s.descriptors
		r.tally.bytes += int64(2 * labelSize * stormSenders * e.Messages)
	}
	return err
}

func playStorm(_ *household, e errand) error {
	g, err := openGoods()
	if err != nil {
		return err
	}
	defer g.close()
	before, err := countWarm(e.Transport, g)
	if err != nil {
		return err
	}
	c, err := e.connect(nil)
	if err != nil {
		return err
	}
	return errors.Join(newStorm(c, g, e.Messages).run(), before.settle())
}

// A storm is what happens on one end.
type storm struct {
	c        *afunix.Conn
	g        *goods
	messages int            // of each sender
	blocked  sync.WaitGroup // senders that have not found the queue full

	mu          sync.Mutex
	seen        [stormSenders][]bool // messages that were received
	descriptors int
}

func newStorm(c *afunix.Conn, g *goods, messages int) *storm {
	s := &storm{c: c, g: g, messages: messages}
	for i := range s.seen {
		s.seen[i] = make([]bool, messages)
	}
	return s
}

// run returns when everything has been sent and received.
func (s *storm) run() error {
	if err := errors.Join(s.c.SetWriteBuffer(4096), s.c.SetReadDeadline(time.Now().Add(2*patience))); err != nil {
		return err
	}
	sent, received := make(chan error), make(chan error)
	s.blocked.Add(stormSenders)
	for sender := range stormSenders {
		go func() { sent <- s.send(sender) }()
		go func() { received <- s.receive() }()
	}
	var err error
	for range stormSenders {
		err = errors.Join(err, <-sent)
	}
	err = errors.Join(err, s.c.CloseWrite())
	for range stormSenders {
		err = errors.Join(err, <-received)
	}
	return errors.Join(err, s.c.Close(), s.complete())
}

// send sends all messages of one sender.
func (s *storm) send(sender int) (err error) {
	blocked := sync.OnceFunc(s.blocked.Done)
	defer blocked()
	give := time.Now().Add(2 * patience)
	for number := 0; number < s.messages; {
		if err := s.c.SetWriteDeadline(soon()); err != nil {
			return err
		}
		err := s.g.send(s.c, sender, number, filesBeside(number))
		var sent *onItsWay
		switch {
		case err == nil || errors.As(err, &sent):
			number++
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("message %d of sender %d: %w", number, sender, err)
		case time.Now().After(give):
			return fmt.Errorf("message %d of sender %d does not go", number, sender)
		default:
			blocked()
		}
	}
	return nil
}

// receive receives until the end. A receiver sees the messages of each sender in their order,
// though not all of them.
func (s *storm) receive() error {
	s.blocked.Wait()
	var next [stormSenders]int
	for {
		l, err := receive(s.c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if l.sender >= stormSenders || l.number >= s.messages || l.number < next[l.sender] {
			return fmt.Errorf("received %+v behind number %d", l, next[l.sender]-1)
		}
		next[l.sender] = l.number + 1
		if err := s.note(l); err != nil {
			return err
		}
	}
}

func (s *storm) note(l label) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[l.sender][l.number] {
		return fmt.Errorf("received %+v twice", l)
	}
	s.seen[l.sender][l.number] = true
	s.descriptors += l.files
	return nil
}

// complete reports whether every message was received.
func (s *storm) complete() error {
	for sender, seen := range s.seen {
		for number, ok := range seen {
			if !ok {
				return fmt.Errorf("message %d of sender %d was not received", number, sender)
			}
		}
	}
	return nil
}
