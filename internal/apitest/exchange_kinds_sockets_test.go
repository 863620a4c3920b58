package apitest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"afunix"
)

// The articles that are sockets. A received socket must have deadlines, and a Close that wakes
// calls that wait. The sender's poller has worked with each socket before it is sent.

// listenTCP returns a listener that the poller of this process has worked with.
func listenTCP(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	expectDeadline(t, l, func() error { return second(l.Accept()) })
	return l
}

// expectDeadline sees wait end by the deadline, which also gives the poller something to do.
func expectDeadline(t *testing.T, c interface{ SetDeadline(time.Time) error }, wait func() error) {
	t.Helper()
	if err := endByDeadline(c, wait); err != nil {
		t.Fatal(err)
	}
}

// tcpPair returns the ends of a connection. The poller has worked with them.
func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l := listenTCP(t)
	l.SetDeadline(time.Now().Add(patience))
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	l.Close()
	expectDeadline(t, near, func() error { return second(near.Read(make([]byte, 1))) })
	return near, far
}

func offerTCPConn(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	near, far := tcpPair(t)
	return near.(*net.TCPConn), func(t *testing.T, p *peer) {
		p.expect(t, near.LocalAddr().String()+" "+near.RemoteAddr().String())
		goOnWithConn(t, p, near, far)
	}
}

// goOnWithConn plays the far end of a connection. The near end, which was sent, stays open here
// while the receiver uses it.
func goOnWithConn(t *testing.T, p *peer, near, far net.Conn) {
	p.says(t, "echo")
	far.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	for _, text := range []string{"ping", "pong"} {
		if _, err := far.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if n, err := far.Read(buf); string(buf[:n]) != text || err != nil {
			t.Fatalf("the receiver sends back %q, %v; want %q", buf[:n], err, text)
		}
	}
	p.expect(t, "echoed")
	near.Close()
	p.asks(t, "close", "closed")
	if n, err := far.Read(buf); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the receiver's Close the far end reads %q, %v", buf[:n], err)
	}
}

// useConn uses what is received as a connection.
func useConn(k *talk, r afunix.Rights) error {
	c, err := r.Conn(0)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(k.say(c.LocalAddr().String()+" "+c.RemoteAddr().String()), k.wait("echo")); err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(patience))
	if err := echo(c, 2); err != nil {
		return err
	}
	if err := errors.Join(k.say("echoed"), k.wait("close")); err != nil {
		return err
	}
	read := func() error { return second(c.Read(make([]byte, 1))) }
	return errors.Join(endByDeadline(c, read), endByClose(c, read), k.say("closed"))
}

// echo sends back some messages.
func echo(c net.Conn, messages int) error {
	buf := make([]byte, 100)
	for range messages {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// aMoment is how long a call is watched that is to wait.
const aMoment = 20 * time.Millisecond

// endByDeadline calls wait, which would wait for ever, with a deadline that comes soon.
func endByDeadline(c any, wait func() error) error {
	s, ok := c.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("%T has no SetDeadline", c)
	}
	began := time.Now()
	if err := s.SetDeadline(began.Add(aMoment)); err != nil {
		return err
	}
	err := wait()
	var timeout net.Error
	took := time.Since(began)
	if took < aMoment || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		return fmt.Errorf("with a deadline in %v, after %v: %w", aMoment, took,
			errors.Join(err, errors.New("want a deadline")))
	}
	return s.SetDeadline(time.Time{})
}

// endByClose calls wait, which waits for ever, and closes c.
func endByClose(c io.Closer, wait func() error) error {
	result := make(chan error, 1)
	go func() { result <- wait() }()
	select {
	case err := <-result:
		return fmt.Errorf("waited for nothing: %w", err)
	case <-time.After(aMoment):
	}
	if err := c.Close(); err != nil {
		return err
	}
	select {
	case err := <-result:
		if !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("ended by Close: %w; want net.ErrClosed", err)
		}
		return nil
	case <-time.After(patience):
		return errors.New("Close wakes nobody")
	}
}

func offerTCPListener(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	l := listenTCP(t)
	address := l.Addr().String()
	return l, func(t *testing.T, p *peer) {
		l.Close()
		p.expect(t, address)
		p.says(t, "accept")
		for range 2 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			expectAnswer(t, c)
			c.Close()
		}
		p.expect(t, "accepted")
		p.asks(t, "close", "closed")
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Error("somebody still listens after the receiver's Close")
		}
	}
}

// expectAnswer sends something over a connection, and expects it back.
func expectAnswer(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := c.Read(buf); string(buf[:n]) != "ping" || err != nil {
		t.Fatalf("answer %q, %v; want ping", buf[:n], err)
	}
}

func useTCPListener(k *talk, r afunix.Rights) error {
	l, err := r.Listener(0)
	if err != nil {
		return err
	}
	defer l.Close()
	accept := func() error { return second(l.Accept()) }
	if err := errors.Join(endByDeadline(l, accept), k.say(l.Addr().String()), k.wait("accept")); err != nil {
		return err
	}
	for range 2 {
		if err := serveOne(l); err != nil {
			return err
		}
	}
	return errors.Join(k.say("accepted"), k.wait("close"), endByClose(l, accept), k.say("closed"))
}

// serveOne echoes one message of the next client.
func serveOne(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return errors.Join(echo(c, 1), c.Close())
}

// listenUDP returns a socket that the poller has worked with.
func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func offerUDP(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	c := listenUDP(t)
	expectDeadline(t, c, func() error { return second(c.Read(make([]byte, 1))) })
	address := c.LocalAddr().String()
	return c, func(t *testing.T, p *peer) {
		c.Close()
		p.expect(t, address)
		p.says(t, "answer")
		client, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		expectAnswer(t, client)
		p.expect(t, "answered")
		p.asks(t, "close", "closed")
		again, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatalf("after the receiver's Close: %v", err)
		}
		again.Close()
	}
}

func useUDP(k *talk, r afunix.Rights) error {
	c, err := r.PacketConn(0)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(k.say(c.LocalAddr().String()), k.wait("answer"), c.SetDeadline(time.Now().Add(patience))); err != nil {
		return err
	}
	buf := make([]byte, 100)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(buf[:n], from); err != nil {
		return err
	}
	read := func() error { _, _, err := c.ReadFrom(buf); return err }
	return errors.Join(k.say("answered"), k.wait("close"), endByDeadline(c, read), endByClose(c, read), k.say("closed"))
}
