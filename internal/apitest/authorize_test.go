package apitest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"afunix"
)

// A slowGuard is an Authorize that says nothing of its first peer before it is told to.
type slowGuard struct {
	calls   atomic.Int32
	asked   chan struct{} // closed when it is asked about the first one
	release chan struct{}
	says    error
}

func newSlowGuard(t *testing.T) *slowGuard {
	g := &slowGuard{asked: make(chan struct{}), release: make(chan struct{})}
	t.Cleanup(func() {
		select {
		case <-g.release:
		default:
			close(g.release)
		}
	})
	return g
}

func (g *slowGuard) authorize(afunix.Credentials) error {
	if g.calls.Add(1) == 1 {
		close(g.asked)
		<-g.release
	}
	return g.says
}

// call dials, and says who it is, on another goroutine: over pipes Dial waits for Authorize. The
// function that it returns waits for that. The connection is closed when the test ends.
func call(t *testing.T, tr afunix.Transport, network, path, name string) (connected func() (*afunix.Conn, error)) {
	var c *afunix.Conn
	var err error
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	go func() {
		defer close(done)
		if c, err = (&afunix.Dialer{Transport: tr}).DialContext(ctx, network, path); err == nil {
			c.SetDeadline(time.Now().Add(patience))
			c.Write([]byte(name)) // fails if it is refused meanwhile
		}
	}()
	t.Cleanup(func() {
		cancel()
		if <-done; c != nil {
			c.Close()
		}
	})
	return func() (*afunix.Conn, error) {
		<-done
		return c, err
	}
}

// hearFrom accepts a client, and expects that it says name.
func hearFrom(t *testing.T, l *afunix.Listener, name string) {
	t.Helper()
	c, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	mustReadMsg(t, c, name, 0)
}

func listenWith(t *testing.T, tr afunix.Transport, network string, g *slowGuard) (l *afunix.Listener, path string) {
	t.Helper()
	path = socketPath(t)
	l, err := (&afunix.ListenConfig{Transport: tr, Authorize: g.authorize}).Listen(t.Context(), network, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetDeadline(time.Now().Add(patience))
	return l, path
}

func waitFor(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal(what)
	}
}

// A client about whom Authorize takes long holds up nobody else, and is accepted when Authorize has
// made up its mind.
func TestSlowAuthorizeHoldsUpNobodyElse(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		g := newSlowGuard(t)
		l, path := listenWith(t, tr, network, g)
		accepted := make(chan struct{})
		call(t, tr, network, path, "slow")
		go func() {
			defer close(accepted)
			hearFrom(t, l, "second")
			hearFrom(t, l, "third")
		}()
		waitFor(t, "nobody is asked", g.asked)
		if _, err := call(t, tr, network, path, "second")(); err != nil {
			t.Fatal(err)
		}
		call(t, tr, network, path, "third")
		waitFor(t, "nobody is accepted", accepted)
		close(g.release)
		hearFrom(t, l, "slow")
	})
}

// Clients about whom Authorize is quick are accepted in the order in which they came.
func TestAuthorizedClientsAreAcceptedInTheirOrder(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		g := newSlowGuard(t)
		close(g.release)
		l, path := listenWith(t, tr, network, g)
		names := "abcdefghij"
		for _, name := range names {
			if _, err := call(t, tr, network, path, string(name))(); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			hearFrom(t, l, string(name))
		}
	})
}

// Close does not wait for Authorize. A client about whom Authorize has not returned is turned away.
func TestCloseWhileAuthorizeIsUnderWay(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		g := newSlowGuard(t)
		l, path := listenWith(t, tr, network, g)
		client := call(t, tr, network, path, "slow")
		accepted := make(chan error, 1)
		go func() {
			c, err := l.AcceptConn()
			if err == nil {
				c.Close()
			}
			accepted <- err
		}()
		waitFor(t, "nobody is asked", g.asked)
		if err := within(t, "Close", l.Close); err != nil {
			t.Error(err)
		}
		if err := within(t, "Accept", func() error { return <-accepted }); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if err := l.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline: %v", err)
		}
		c, err := client()
		if err != nil { // over pipes Dial knows already
			return
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read of the client: %v; want the end", err)
		}
	})
}

// The deadline ends Accept, and not the call of Authorize: the next Accept returns the client that
// Authorize lets in.
func TestDeadlineOfAcceptWhileAuthorizeIsUnderWay(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		g := newSlowGuard(t)
		l, path := listenWith(t, tr, network, g)
		call(t, tr, network, path, "slow")
		accepted := make(chan error, 1)
		go func() {
			_, err := l.AcceptConn()
			accepted <- err
		}()
		waitFor(t, "nobody is asked", g.asked)
		l.SetDeadline(time.Now())
		if err := within(t, "Accept", func() error { return <-accepted }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept: %v", err)
		}
		l.SetDeadline(time.Now().Add(patience))
		close(g.release)
		hearFrom(t, l, "slow")
	})
}

// What a Dialer's Authorize is asked ends with the Timeout.
func TestSlowAuthorizeOfADialer(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		listen(t, tr, network, path)
		g := newSlowGuard(t)
		d := afunix.Dialer{Transport: tr, Authorize: g.authorize, Timeout: 50 * time.Millisecond}
		err := within(t, "Dial", func() error {
			_, err := d.DialContext(context.Background(), network, path)
			return err
		})
		var op *net.OpError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &op) || op.Op != "dial" || !op.Timeout() {
			t.Errorf("Dial: %v; want a timeout", err)
		}
	})
}

func TestAuthorizeRefusesThePeer(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		no := errors.New("not welcome")
		var asked atomic.Int32
		authorize := func(c afunix.Credentials) error {
			if c.PID != os.Getpid() || !c.SameUser() {
				t.Errorf("asked about %+v", c)
			}
			if asked.Add(1) == 1 {
				return no
			}
			return nil
		}
		path := socketPath(t)
		lc := afunix.ListenConfig{Transport: tr, Authorize: authorize}
		l, err := lc.Listen(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		d := afunix.Dialer{Transport: tr}
		refused, err := d.DialContext(t.Context(), network, path)
		if err == nil { // over pipes the dialler knows already
			guard(t, refused)
			mustWriteMsg(t, refused, "a")
		}
		welcome, err := d.DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, welcome)
		mustWriteMsg(t, welcome, "b")
		server, err := l.AcceptConn() // the first to come is not the first to be accepted
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		mustReadMsg(t, server, "b", 0)
		if refused != nil {
			if _, err := refused.Read(make([]byte, 1)); err == nil {
				t.Error("the refused connection is alive")
			}
		}
		d.Authorize = func(afunix.Credentials) error { return no }
		c, err := d.DialContext(t.Context(), network, path)
		var op *net.OpError
		if c != nil || !errors.Is(err, no) || !errors.As(err, &op) || op.Op != "dial" {
			t.Errorf("dial that Authorize refuses: %v, %v", c, err)
		}
	})
	// Who cannot be asked is not let in.
	each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		yes := func(afunix.Credentials) error { return nil }
		path := socketPath(t)
		lc := afunix.ListenConfig{Transport: tr, Authorize: yes}
		if _, err := lc.ListenPacket(t.Context(), network, path); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("ListenPacket with Authorize: %v", err)
		}
		lc.Authorize = nil
		p, err := lc.ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d := afunix.Dialer{Transport: tr, Authorize: yes}
		if _, err := d.DialContext(t.Context(), network, path); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Dial of a datagram socket with Authorize: %v", err)
		}
	})
}
