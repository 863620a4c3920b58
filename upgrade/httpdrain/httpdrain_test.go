package httpdrain_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"afunix/internal/leaktest"
	"afunix/upgrade/httpdrain"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 20 * time.Second

// A rig is a server whose handler says hello, and waits in /slow until it may go on.
type rig struct {
	*httpdrain.Server
	addr    string
	states  chan http.ConnState
	slow    chan struct{}
	entered chan struct{}
	served  chan error
	answer  http.HandlerFunc // instead of saying hello
}

func newRig(t *testing.T, protocols *http.Protocols) *rig {
	t.Helper()
	return newSecureRig(t, protocols, nil)
}

// newSecureRig has TLS, if it has a configuration for that.
func newSecureRig(t *testing.T, protocols *http.Protocols, config *tls.Config) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		addr: l.Addr().String(), states: make(chan http.ConnState, 100),
		slow: make(chan struct{}), entered: make(chan struct{}), served: make(chan error, 1),
	}
	r.Server = httpdrain.New(&http.Server{
		Protocols: protocols, TLSConfig: config,
		ConnState: func(_ net.Conn, s http.ConnState) { r.states <- s },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/slow" {
				close(r.entered)
				<-r.slow
			}
			if r.answer != nil {
				r.answer(w, req)
				return
			}
			io.Copy(io.Discard, req.Body)
			io.WriteString(w, "hello")
		}),
	})
	go func() { r.served <- serve(r.Server, l, config != nil) }()
	t.Cleanup(func() {
		r.Shutdown(expired())
		<-r.served
	})
	return r
}

// expect waits for a connection to come into the state.
func (r *rig) expect(t *testing.T, state http.ConnState) {
	t.Helper()
	for {
		select {
		case s := <-r.states:
			if s == state {
				return
			}
		case <-time.After(patience):
			t.Fatalf("no connection is %v", state)
		}
	}
}

// shutdown begins to shut down, and returns where its outcome will be, once no more connections are
// accepted.
func (r *rig) shutdown(t *testing.T, ctx context.Context) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(ctx) }()
	select {
	case err := <-r.served:
		if !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		r.served <- err
	case <-time.After(patience):
		t.Fatal("Serve goes on")
	}
	return done
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func expectDone(t *testing.T, done <-chan error, want error) {
	t.Helper()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Errorf("Shutdown: %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatal("Shutdown goes on")
	}
}

func expectWaiting(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
}

type client struct {
	net.Conn
	r *bufio.Reader
}

func connect(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) ask(t *testing.T, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
}

// expectAnswer reads an answer, which must, or must not, say that it is the last one.
func (c *client) expectAnswer(t *testing.T, last bool) {
	t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "hello" || err != nil {
		t.Errorf("the answer is %q, %v", text, err)
	}
	if resp.Close != last {
		t.Errorf("it is the last answer: %v, want %v", resp.Close, last)
	}
}

func TestIdleConnectionHasOneMoreAnswer(t *testing.T) {
	r := newRig(t, nil)
	c := connect(t, r.addr)
	c.ask(t, "/")
	c.expectAnswer(t, false)
	r.expect(t, http.StateIdle)
	done := r.shutdown(t, t.Context())
	expectWaiting(t, done)
	c.ask(t, "/")
	c.expectAnswer(t, true)
	expectDone(t, done, nil)
}

func TestConnectionThatHasAskedNothingIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	c := connect(t, r.addr)
	r.expect(t, http.StateNew)
	done := r.shutdown(t, t.Context())
	expectWaiting(t, done)
	c.ask(t, "/")
	c.expectAnswer(t, true)
	expectDone(t, done, nil)
}

func TestRequestUnderWayIsFinished(t *testing.T) {
	r := newRig(t, nil)
	c := connect(t, r.addr)
	c.ask(t, "/slow")
	<-r.entered
	done := r.shutdown(t, t.Context())
	expectWaiting(t, done)
	close(r.slow)
	c.expectAnswer(t, false) // its header may have been on its way when Shutdown was called
	c.ask(t, "/")
	c.expectAnswer(t, true)
	expectDone(t, done, nil)
}

func TestContextEndsTheWait(t *testing.T) {
	r := newRig(t, nil)
	c := connect(t, r.addr)
	c.ask(t, "/")
	c.expectAnswer(t, false)
	r.expect(t, http.StateIdle)
	expectDone(t, r.shutdown(t, expired()), context.Canceled)
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection: %v, want EOF", err)
	}
}

func TestContextEndsTheWaitForOneWhoSaysNothing(t *testing.T) {
	r := newRig(t, nil)
	c := connect(t, r.addr)
	r.expect(t, http.StateNew)
	expectDone(t, r.shutdown(t, expired()), context.Canceled)
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the connection: %v, want EOF", err)
	}
}

func TestNoServeAfterShutdown(t *testing.T) {
	r := newRig(t, nil)
	expectDone(t, r.shutdown(t, t.Context()), nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v", err)
	}
}
