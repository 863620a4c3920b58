package httpdrain_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"afunix/upgrade/httpdrain"
)

// How many servers follow each other under load, how many requests each answers at least, and how
// many connections and clients send the requests.
const (
	generations = 25
	perServer   = 160
	connections = 8
	clients     = 80
)

// unencrypted and encrypted are the two ways in which HTTP/2 goes.
func unencrypted() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func encrypted() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	return p
}

// A door is where clients come in. What it accepts goes to whichever of its listeners asks.
type door struct {
	net.Listener
	conns chan net.Conn
}

func newDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{l, make(chan net.Conn)}
	go func() {
		defer close(d.conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range d.conns {
			c.Close()
		}
	})
	return d
}

// A share is a process's part of the door: closed, it leaves the others in.
type share struct {
	*door
	closed chan struct{}
	once   sync.Once
}

func (s *share) Accept() (net.Conn, error) {
	select {
	case <-s.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case <-s.closed:
		return nil, net.ErrClosed
	case c, ok := <-s.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	}
}

func (s *share) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// A chain is servers that follow each other as after restarts: a client that dials comes to the
// last one.
type chain struct {
	protocols *http.Protocols
	config    *tls.Config // nil: without TLS
	current   atomic.Pointer[httpdrain.Server]
	door      *door
	answered  atomic.Int64
	ending    sync.WaitGroup
}

// next starts a server, and ends the one before.
func (c *chain) next(t *testing.T) {
	t.Helper()
	l := &share{door: c.door, closed: make(chan struct{})}
	s := httpdrain.New(&http.Server{
		Protocols: c.protocols, TLSConfig: c.config,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err == nil {
				fmt.Fprint(w, n)
			}
		}),
	})
	c.ending.Go(func() { serve(s, l, c.config != nil) })
	c.end(t, c.current.Swap(s))
}

func serve(s *httpdrain.Server, l net.Listener, secure bool) error {
	if secure {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

func (c *chain) end(t *testing.T, s *httpdrain.Server) {
	if s == nil {
		return
	}
	c.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

var body = strings.Repeat("x", 1000)

// Requests that cannot be repeated, over connections that are told to end while further ones come.
func TestNoRequestOverHTTP2IsLost(t *testing.T) {
	for name, config := range map[string]*tls.Config{"unencrypted": nil, "TLS": certificate(t)} {
		t.Run(name, func(t *testing.T) {
			c := &chain{door: newDoor(t), protocols: unencrypted(), config: config}
			if config != nil {
				c.protocols = encrypted()
			}
			c.run(t)
		})
	}
}

func (c *chain) run(t *testing.T) {
	c.next(t)
	stop, progress := make(chan struct{}), make(chan struct{}, 1)
	var busy sync.WaitGroup
	for range connections {
		p := &pool{chain: c}
		for i := range clients / connections {
			busy.Go(func() { p.work(t, i, stop, progress) })
		}
	}
	for i := range generations {
		for c.answered.Load() < int64(i+1)*perServer && !t.Failed() {
			<-progress
		}
		c.next(t)
	}
	close(stop)
	busy.Wait()
	c.end(t, c.current.Load())
	c.ending.Wait()
	t.Logf("%d requests answered by %d servers", c.answered.Load(), generations+1)
}

// A pool is clients that share a connection.
type pool struct {
	*chain
	mu   sync.Mutex
	conn *streams
}

func (p *pool) work(t *testing.T, n int, stop <-chan struct{}, progress chan<- struct{}) {
	for ; ; n += 997 {
		select {
		case <-stop:
			p.hangUp()
			return
		default:
		}
		if err := p.request(n % len(body)); err != nil {
			t.Errorf("a request is lost: %v", err)
		} else {
			p.answered.Add(1)
		}
		select {
		case progress <- struct{}{}:
		default:
		}
	}
}

// request asks over the connection that there is, or over a new one.
func (p *pool) request(n int) error {
	for {
		c, err := p.connect()
		if err != nil {
			return err
		}
		if err := c.request(n); !errors.Is(err, errEnded) {
			return err
		}
	}
}

func (p *pool) connect() (*streams, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil && !p.conn.hasEnded() {
		return p.conn, nil
	}
	c, err := dialStreams(p.door.Addr().String(), clientConfig(p.config))
	if err == nil {
		p.conn = c
		p.ending.Go(c.serve)
	}
	return c, err
}

// hangUp ends what has ended by itself only if somebody asks.
func (p *pool) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		p.conn.end(math.MaxUint32, nil)
	}
}

func clientConfig(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
}

// certificate is that of package httptest.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}
