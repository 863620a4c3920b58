package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// writeTo sends one datagram.
func (e *env) writeTo(c *afunix.Conn, path, data string) error {
	return second(c.WriteMsgTo([]byte(data), e.addr(path)))
}

func TestRow115(t *testing.T) {
	each(t, "d", func(e *env) {
		c := e.listenPacket(e.path())
		e.fails(second(c.Write([]byte("x"))), syscall.ENOTCONN)
		e.fails(second(c.Write(nil)), syscall.ENOTCONN)
	})
}

func TestRow116(t *testing.T) {
	each(t, "d", func(e *env) {
		c := e.listenPacket(e.path())
		stale := e.path()
		e.check(e.listenPacket(stale).Close())
		e.fails(e.writeTo(c, e.path(), "x"), fs.ErrNotExist)
		e.fails(e.writeTo(c, "@"+filepath.Base(e.dir)+"nobody", "x"), syscall.ECONNREFUSED)
		e.fails(e.writeTo(c, stale, "x"), syscall.ECONNREFUSED)
		e.fails(e.writeTo(c, e.dir, "x"), syscall.ECONNREFUSED)
		e.fails(e.writeTo(c, "", "x"), syscall.EINVAL)
		l, err := (&afunix.ListenConfig{Transport: e.transport}).Listen(e.Context(), "unix", e.path())
		e.check(err)
		defer l.Close()
		e.fails(e.writeTo(c, l.Addr().String(), "x"), syscall.EPROTOTYPE)
		e.fails(second(e.tryDial(l.Addr().String())), syscall.EPROTOTYPE)
	})
}

func TestRow117(t *testing.T) {
	each(t, "d", func(e *env) {
		r, b := e.path(), e.path()
		friend := e.listenPacket(b)
		receiver := e.dialFrom(r, b)
		stranger := e.listenPacket(e.path())
		e.fails(e.writeTo(stranger, r, "x"), syscall.EPERM)
		e.fails(second(e.tryDial(r)), syscall.EPERM)
		e.sendTo(friend, r, "welcome")
		e.recv(receiver, 9, "welcome", 0)
		e.check(friend.Close())
		e.fails(e.writeTo(stranger, r, "x"), syscall.EPERM) // it does not know yet
		e.fails(second(receiver.Write([]byte("x"))), syscall.ECONNREFUSED)
		e.sendTo(stranger, r, "now")
		e.recv(receiver, 9, "now", 0)
	})
}

func TestRow119(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		e.listenPacket(path)
		e.fails(e.writeTo(e.dial(path), path, "x"), net.ErrWriteToConnected)
	})
}

func TestRow120(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		a, b := e.pair()
		for _, ends := range [][2]*afunix.Conn{{client, server}, {a, b}} {
			c := ends[0]
			e.check(ends[1].Close())
			e.blocksReading(c)
			e.fails(second(c.Write([]byte("x"))), syscall.ECONNREFUSED)
			e.fails(second(c.Write([]byte("x"))), syscall.ENOTCONN)
			e.blocksReading(c)
		}
	})
}

func TestRow121(t *testing.T) {
	each(t, "d", func(e *env) {
		a, b := e.pair()
		e.send(a, "unread")
		e.send(b, "mine")
		e.check(b.Close())
		e.recv(a, 9, "mine", 0)
		e.blocksReading(a)
	})
}

func TestRow124(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		c := e.dialFrom(path, path)
		e.send(c, "me")
		if m := e.recv(c, 9, "me", 0); m.From == nil || m.From.Name != path {
			e.Errorf("from %v", m.From)
		}
		e.fails(e.writeTo(e.listenPacket(e.path()), path, "x"), syscall.EPERM)
		if n := e.fill(c, "x"); n < 100 { // its own queue has no limit
			e.Errorf("%d fit", n)
		}
	})
}

func TestRow125(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		for _, data := range []string{"before", "", "after"} {
			if n, err := client.Write([]byte(data)); n != len(data) || err != nil {
				e.Fatalf("%d, %v", n, err)
			}
		}
		for _, data := range []string{"before", "", "after"} {
			e.recv(server, 9, data, 0)
		}
	})
}

func TestRow126(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		one, two := e.dial(path), e.listenPacket(e.path())
		for range 11 {
			e.send(one, "x")
		}
		e.blocksWriting(one, "full")
		e.check(two.SetWriteDeadline(time.Now().Add(moment)))
		e.fails(e.writeTo(two, path, "full"), os.ErrDeadlineExceeded)
		e.check(two.SetWriteDeadline(time.Now().Add(patience)))
		e.recv(server, 9, "x", 0)
		e.sendTo(two, path, "y")
		e.blocksWriting(one, "full")
		for range 10 {
			e.recv(server, 9, "x", 0)
		}
		e.recv(server, 9, "y", 0)
		e.blocksReading(server) // what was not sent has not come
	})
}

func TestRow127(t *testing.T) { notObservable(t, "no call polls") }

func TestRow129(t *testing.T) {
	eachPassing(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		e.send(client, "before")
		e.check(server.CloseRead())
		w := e.witness()
		e.fails(second(client.WriteMsg([]byte("x"), w.w)), syscall.EPIPE)
		w.released()
		e.fails(e.writeTo(e.listenPacket(e.path()), path, "x"), syscall.EPIPE)
		e.recv(server, 9, "before", 0)
		e.blocksReading(server) // as package net reads it: row 197
	})
}

func TestRow130(t *testing.T) {
	each(t, "d", func(e *env) {
		a, b := e.pair()
		e.check(a.CloseWrite())
		e.fails(second(a.Write([]byte("x"))), syscall.EPIPE)
		e.blocksReading(b)
		e.send(b, "still")
		e.recv(a, 9, "still", 0)
		bound := e.path()
		server := e.listenPacket(bound)
		client := e.dial(bound)
		e.check(client.CloseWrite())
		e.fails(second(client.Write([]byte("x"))), syscall.EPIPE)
		e.blocksReading(server)
	})
}

func TestRow133(t *testing.T) {
	eachPassing(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		w := e.witness()
		for range 11 {
			e.send(client, "x")
		}
		failed := make(chan error, 1)
		go func() { failed <- second(client.WriteMsg([]byte("late"), w.w)) }()
		select {
		case err := <-failed:
			e.Fatalf("%v; want it to wait", err)
		case <-time.After(moment):
		}
		e.check(server.Close())
		e.fails(<-failed, syscall.ECONNREFUSED)
		w.released()

		again := e.path()
		server, client = e.listenPacket(again), e.dial(again)
		for range 11 {
			e.send(client, "x")
		}
		go func() { failed <- second(client.Write([]byte("late"))) }()
		e.check(server.CloseRead())
		select {
		case err := <-failed:
			if !errors.Is(err, syscall.EPIPE) { // it had not begun to wait
				e.Fatalf("%v; want it to wait", err)
			}
			return
		case <-time.After(moment):
		}
		e.check(server.Close())
		e.fails(<-failed, syscall.ECONNREFUSED)
	})
}

// One queue across all senders: what was sent first is read first, and nothing is lost.
func TestOneQueueAcrossAllSenders(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		var senders []*afunix.Conn
		for range 10 {
			senders = append(senders, e.listenPacket(e.path()))
		}
		for round := range 3 {
			for i, s := range senders {
				e.sendTo(s, path, fmt.Sprint(round, i))
			}
			for i, s := range senders {
				if m := e.recv(server, 9, fmt.Sprint(round, i), 0); m.From == nil || m.From.Name != s.LocalAddr().String() {
					e.Errorf("from %v", m.From)
				}
			}
		}
		var wg sync.WaitGroup
		for i, s := range senders {
			wg.Go(func() {
				for n := range 50 {
					if err := e.writeTo(s, path, fmt.Sprintf("%d %d", i, n)); err != nil {
						e.Error(err)
					}
				}
			})
		}
		next := map[string]int{}
		for range 50 * len(senders) {
			m, err := server.ReadMsg(make([]byte, 20))
			e.check(err)
			var who string
			var n int
			second(fmt.Sscan(string(m.Data), &who, &n))
			if next[who] != n {
				e.Fatalf("%s sent %d; want %d", who, n, next[who])
			}
			next[who]++
		}
		wg.Wait()
	})
}

// A name leads to the socket that has it now.
func TestNameThatIsBoundAnew(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		old := e.listenPacket(path)
		c := e.listenPacket(e.path())
		e.sendTo(c, path, "old")
		e.check(os.Remove(path))
		e.fails(e.writeTo(c, path, "x"), fs.ErrNotExist)
		fresh := e.listenPacket(path)
		e.sendTo(c, path, "new")
		e.recv(old, 9, "old", 0)
		e.recv(fresh, 9, "new", 0)
		e.check(fresh.Close())
		e.fails(e.writeTo(c, path, "x"), syscall.ECONNREFUSED)

		abstract, err := e.config().ListenPacket(e.Context(), e.network, "")
		e.check(err)
		name := abstract.LocalAddr().String()
		e.sendTo(c, name, "x")
		e.check(abstract.Close())
		e.fails(e.writeTo(c, name, "x"), syscall.ECONNREFUSED)
		e.sendTo(c, e.listenPacket(name).LocalAddr().String(), "x")
	})
}

// Messages of a sender that is gone can be read, with their descriptors.
func TestSenderThatIsGone(t *testing.T) {
	eachPassing(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		w := e.witness()
		for range 3 {
			c := e.dialFrom(e.path(), path)
			e.send(c, "x", w.w)
			e.check(c.Close())
		}
		for range 3 {
			e.check(e.recv(server, 9, "x", 1).Rights.Close())
		}
		w.released()
		// What nobody reads is closed with the receiver.
		w = e.witness()
		e.send(e.dial(path), "x", w.w)
		e.check(server.Close())
		w.released()
	})
}

// More receivers than a socket keeps links to.
func TestManyReceivers(t *testing.T) {
	each(t, "d", func(e *env) {
		c := e.listenPacket(e.path())
		var receivers []*afunix.Conn
		for range 80 {
			receivers = append(receivers, e.listenPacket(e.path()))
		}
		for range 2 {
			for _, r := range receivers {
				e.sendTo(c, r.LocalAddr().String(), "x")
				e.recv(r, 9, "x", 0)
			}
		}
	})
}

// Large datagrams are whole or not there, in front of a full queue, too.
func TestLargeDatagrams(t *testing.T) {
	eachPassing(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		for _, n := range []int{1, 65535, 65536, 65537, 150000} {
			e.send(client, long(n))
			e.recv(server, n+1, long(n), 0)
			e.send(client, long(n), e.witness().w)
			e.recv(server, n+1, long(n), 1)
		}
		for range 11 {
			e.send(client, "x")
		}
		e.blocksWriting(client, long(100000))
		for range 11 {
			e.recv(server, 9, "x", 0)
		}
		e.send(client, "after")
		e.recv(server, 9, "after", 0)
	})
}

// Close and deadlines end a send that waits for room.
func TestCloseEndsASendThatWaits(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client, other := e.dial(path), e.listenPacket(e.path())
		for range 11 {
			e.send(client, "x")
		}
		failed := make(chan error, 2)
		go func() { failed <- second(client.Write([]byte("late"))) }()
		go func() { failed <- e.writeTo(other, path, "late") }()
		time.Sleep(moment) // they most likely wait
		e.check(client.Close())
		e.check(other.Close())
		for range 2 {
			e.fails(<-failed, net.ErrClosed)
		}
		for range 11 {
			e.recv(server, 9, "x", 0)
		}
		e.blocksReading(server)
	})
}
