package conformance

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"afunix"
)

// many returns how many sockets a test has at once: fewer where each costs hundreds of trips to a
// server (Wine), or the race detector's bookkeeping.
func many(n int) int {
	if runtime.GOOS == "windows" {
		return n / 10
	}
	return n
}

// A thousand connections at once to one listener, all in use.
func TestManyConnections(t *testing.T) {
	eachPassing(t, "sq", func(e *env) {
		n := many(1000)
		l := e.listen(e.path())
		file := e.file("")
		served := make(chan error, n)
		go func() {
			for range n {
				c, err := l.AcceptConn()
				if err != nil {
					served <- err
					return
				}
				go func() { served <- echoTwice(c) }()
			}
		}()
		clients := make([]*afunix.Conn, n)
		for i := range clients {
			clients[i] = e.dial(l.Addr().String())
		}
		var wg sync.WaitGroup
		for i, c := range clients {
			e.check(c.SetDeadline(time.Now().Add(patience * time.Duration(n) / 100))) // all talk at once
			wg.Go(func() {
				if err := talkTwice(c, file, fmt.Sprint("message ", i)); err != nil {
					e.Error(err)
				}
			})
		}
		wg.Wait()
		for _, c := range clients {
			e.check(c.Close())
		}
		for range n {
			e.check(<-served)
		}
	})
}

// echoTwice answers two messages, with their descriptors.
func echoTwice(c *afunix.Conn) error {
	defer c.Close()
	buf := make([]byte, 100)
	for range 2 {
		m, err := c.ReadMsg(buf)
		if err != nil {
			return err
		}
		_, err = c.Write(m.Data)
		if err := errors.Join(err, m.Rights.Close()); err != nil {
			return err
		}
	}
	return nil
}

// talkTwice sends a message, with a descriptor the second time, and expects it back.
func talkTwice(c *afunix.Conn, file *os.File, text string) error {
	buf := make([]byte, 100)
	for _, files := range [][]afunix.Sendable{nil, {file}} {
		if _, err := c.WriteMsg([]byte(text), files...); err != nil {
			return err
		}
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		if string(buf[:n]) != text {
			return fmt.Errorf("%q came back for %q", buf[:n], text)
		}
	}
	return nil
}

// Two hundred senders at once to one datagram socket: every datagram comes, once, in its sender's
// order.
func TestManySenders(t *testing.T) {
	each(t, "d", func(e *env) {
		const rounds = 10
		senders := many(200)
		path := e.path()
		server := e.listenPacket(path)
		var wg sync.WaitGroup
		for i := range senders {
			c := e.dial(path)
			wg.Go(func() {
				for n := range rounds {
					if _, err := fmt.Fprintf(c, "%d %d", i, n); err != nil {
						e.Error(err)
					}
				}
			})
		}
		next := make([]int, senders)
		buf := make([]byte, 20)
		for range senders * rounds {
			length, err := server.Read(buf)
			e.check(err)
			var who, n int
			if _, err := fmt.Sscan(string(buf[:length]), &who, &n); err != nil {
				e.Fatal(err)
			}
			if next[who] != n {
				e.Fatalf("sender %d: %d came; want %d", who, n, next[who])
			}
			next[who]++
		}
		wg.Wait()
	})
}
