// Package load keeps an HTTP server busy, and counts what a client would complain about. It does
// not use package http's client, which sends a request again when a connection turns out to be
// closed: here that is a request lost.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a request may take before it is lost.
const patience = 30 * time.Second

// largestBody is how much a request may send.
const largestBody = 64 << 10

// A Load says how busy the server is kept.
type Load struct {
	Address   string
	KeepAlive int           // clients that keep their connection as long as they may
	Fresh     int           // clients that make a connection for each request
	Pause     time.Duration // of a client between two requests, on average
}

// Stats say what the clients have seen.
type Stats struct {
	Requests    int            // answered
	Connections int            // made
	Closing     int            // connections that the server has said it would close
	Lost        int            // requests without a whole answer
	Refused     int            // connections that could not be made
	Slowest     time.Duration  // request
	Versions    map[string]int // of the server: how many requests each has answered
	Errors      []string       // the first few
}

// A Run is a load that is under way.
type Run struct {
	clients sync.WaitGroup
	stop    context.CancelFunc

	mu    sync.Mutex
	stats Stats
}

// Start starts the clients.
func (l Load) Start() *Run {
	ctx, stop := context.WithCancel(context.Background())
	r := &Run{stop: stop, stats: Stats{Versions: make(map[string]int)}}
	for i := range l.KeepAlive + l.Fresh {
		c := &client{run: r, load: l, fresh: i >= l.KeepAlive}
		r.clients.Go(func() { c.work(ctx) })
	}
	return r
}

// Stop lets every client finish its request, and returns the result.
func (r *Run) Stop() Stats {
	r.stop()
	r.clients.Wait()
	return r.Stats()
}

// Stats returns what has been counted so far.
func (r *Run) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Versions = make(map[string]int)
	for v, n := range r.stats.Versions {
		s.Versions[v] = n
	}
	return s
}

// count changes the statistics.
func (r *Run) count(change func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.stats)
}

func (r *Run) complain(err error, counter func(*Stats) *int) {
	r.count(func(s *Stats) {
		*counter(s)++
		if len(s.Errors) < 10 {
			s.Errors = append(s.Errors, fmt.Sprintf("%s: %v", time.Now().Format("05.000"), err))
		}
	})
}

// A client sends one request after the other.
type client struct {
	run   *Run
	load  Load
	fresh bool
	conn  net.Conn // nil if it has to be made
	r     *bufio.Reader
}

func (c *client) work(ctx context.Context) {
	defer c.hangUp()
	for {
		pause := time.NewTimer(time.Duration(rand.Int64N(2*int64(c.load.Pause) + 1)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		if err := c.dial(); err != nil {
			c.run.complain(err, func(s *Stats) *int { return &s.Refused })
			continue
		}
		if err := c.request(); err != nil {
			c.run.complain(err, func(s *Stats) *int { return &s.Lost })
			c.hangUp()
		}
	}
}

func (c *client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) dial() (err error) {
	if c.conn != nil {
		return nil
	}
	if c.conn, err = net.DialTimeout("tcp", c.load.Address, patience); err != nil {
		c.conn = nil
		return err
	}
	c.r = bufio.NewReader(c.conn)
	c.run.count(func(s *Stats) { s.Connections++ })
	return nil
}

// request sends a request and checks the answer.
func (c *client) request() error {
	begin := time.Now()
	if err := c.conn.SetDeadline(begin.Add(patience)); err != nil {
		return err
	}
	sent := 0
	if rand.N(4) == 0 {
		sent = rand.N(largestBody)
	}
	if err := c.send(sent); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			err = fmt.Errorf("the server has closed the connection instead of answering: %w", err)
		}
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	version, _, _ := strings.Cut(string(text), ",")
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), fmt.Sprintf(" %d bytes received", sent)) {
		return fmt.Errorf("sent %d bytes, and the answer is %s: %q", sent, resp.Status, text)
	}
	c.run.count(func(s *Stats) {
		s.Requests++
		s.Versions[version]++
		s.Slowest = max(s.Slowest, time.Since(begin))
		if resp.Close && !c.fresh {
			s.Closing++
		}
	})
	if resp.Close || c.fresh {
		c.hangUp()
	}
	return nil
}

// send sends a request with a body of n bytes.
func (c *client) send(n int) error {
	connection := "keep-alive"
	if c.fresh {
		connection = "close"
	}
	_, err := fmt.Fprintf(c.conn, "POST / HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s",
		c.load.Address, connection, n, body[:n])
	return err
}

var body = strings.Repeat("x", largestBody)
