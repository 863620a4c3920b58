package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// dial makes a connection over a fake pipe to the listener of r.
func (r *rig) dial(typ sock.Type) (*endpoint.Conn, error) {
	s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
	r.source.pipes <- s
	return endpoint.Dial(context.Background(), c, r.config(r.clientProc, typ))
}

// Row 102: one more than the backlog succeed, the next is EAGAIN, and each accept makes room for
// one.
func TestBacklog(t *testing.T) {
	for _, backlog := range []int{1, 5} {
		t.Run(fmt.Sprint(backlog), func(t *testing.T) {
			l, path := listen(t, sock.Stream, backlog)
			for range backlog + 1 {
				dial(t, sock.Stream, path)
			}
			full := func() error {
				p, err := newClient(context.Background(), path, sock.Stream)
				if err != nil {
					return err
				}
				c, err := endpoint.Dial(context.Background(), p, endpoint.Config{Type: sock.Stream})
				if err == nil {
					c.Close()
				}
				return err
			}
			for range 3 {
				if err := full(); !errors.Is(err, syscall.EAGAIN) {
					t.Errorf("%v, want EAGAIN", err)
				}
			}
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			dial(t, sock.Stream, path)
			if err := full(); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("%v, want EAGAIN", err)
			}
		})
	}
}

// Connections are accepted in the order in which they came, and their data is there.
func TestDataBeforeAccept(t *testing.T) {
	testenv.NeedPipeRights(t)
	l, path := listen(t, sock.Stream, 0)
	for i := range 5 {
		c := dial(t, sock.Stream, path)
		send(t, c, fmt.Sprint("from ", i), file(t))
		c.Close() // row 51
	}
	for i := range 5 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		recv(t, c.(*endpoint.Conn), fmt.Sprint("from ", i), 1).Close()
		if _, err := c.Read(make([]byte, 9)); err != io.EOF {
			t.Errorf("%v, want EOF", err)
		}
		c.Close()
	}
}

// Row 199: closing the listener resets who was not accepted; who dials now is refused.
func TestCloseOfListenerResetsPendingConnections(t *testing.T) {
	testenv.NeedPipeRights(t)
	l, path := listen(t, sock.Stream, 0)
	var clients []*endpoint.Conn
	for range 3 {
		clients = append(clients, dial(t, sock.Stream, path))
	}
	send(t, clients[1], "data that nobody reads", file(t))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range clients {
		if _, err := c.Read(make([]byte, 9)); err != syscall.ECONNRESET {
			t.Errorf("client %d: %v, want ECONNRESET", i, err)
		}
		if _, err := c.Read(make([]byte, 9)); err != io.EOF {
			t.Errorf("client %d: %v, want EOF", i, err)
		}
		if _, err := c.Write([]byte("x")); err != syscall.EPIPE {
			t.Errorf("client %d: %v, want EPIPE", i, err)
		}
	}
	if _, err := l.Accept(); err != net.ErrClosed {
		t.Errorf("accept: %v", err)
	}
	if err := l.Close(); err != net.ErrClosed {
		t.Errorf("a second Close: %v", err)
	}
	if err := l.SetDeadline(time.Time{}); err != net.ErrClosed {
		t.Errorf("SetDeadline: %v", err)
	}
}

// Close ends an Accept that waits, and a Dial whose hello nobody has answered yet.
func TestCloseOfListenerEndsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		accepting := start(func() (int, error) { _, err := r.listener.Accept(); return 0, err })
		r.pending(accepting, "an accept of nothing")
		s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
		s.hold() // the hello is under way
		r.source.pipes <- s
		dialling := start(func() (int, error) {
			_, err := endpoint.Dial(context.Background(), c, r.config(r.clientProc, sock.Stream))
			return 0, err
		})
		r.pending(dialling, "a dial that nobody answers")
		r.listener.Close()
		if o := <-accepting; o.err != net.ErrClosed {
			t.Errorf("accept: %+v", o)
		}
		if o := <-dialling; o.err != syscall.ECONNREFUSED {
			t.Errorf("dial: %+v, want ECONNREFUSED", o)
		}
	})
}

func TestDeadlineOfAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		accepting := start(func() (int, error) { _, err := r.listener.Accept(); return 0, err })
		r.pending(accepting, "an accept of nothing")
		r.listener.SetDeadline(time.Now().Add(time.Minute))
		r.listener.SetDeadline(time.Now().Add(time.Second))
		if o := <-accepting; o.err != os.ErrDeadlineExceeded || o.at != time.Second {
			t.Errorf("%+v", o)
		}
		r.listener.SetDeadline(time.Time{})
		accepting = start(func() (int, error) {
			c, err := r.listener.Accept()
			if err == nil {
				r.server = c.(*endpoint.Conn)
			}
			return 0, err
		})
		r.pending(accepting, "an accept of nothing")
		c, err := r.dial(sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if o := <-accepting; o.err != nil {
			t.Errorf("%+v", o)
		}
	})
}

// A socket of another type: EPROTOTYPE (row 190).
func TestWrongTypeOfSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		if _, err := r.dial(sock.Seqpacket); err != syscall.EPROTOTYPE {
			t.Errorf("%v, want EPROTOTYPE", err)
		}
		c, err := r.dial(sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

// Connections that never say hello are bounded in number, are sent away after a while, and do not
// keep others out for longer.
func TestConnectionsThatNeverSayHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		const strangers = 600
		var pipes []*fakePipe
		for range strangers {
			s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
			r.source.pipes <- s
			pipes = append(pipes, c)
		}
		synctest.Wait()
		if waiting := len(r.source.pipes); waiting < strangers-300 {
			t.Errorf("%d of %d that said nothing were taken in at once", strangers-waiting, strangers)
		}
		dialling := start(func() (int, error) {
			c, err := r.dial(sock.Stream)
			if err == nil {
				c.Close()
			}
			return 0, err
		})
		if o := <-dialling; o.err != nil || o.at > time.Minute {
			t.Errorf("behind them: %+v", o)
		}
		time.Sleep(time.Minute)
		for i, p := range pipes {
			if !p.peer.isClosed() {
				t.Fatalf("stranger %d is connected still", i)
			}
		}
	})
}

// An error of the source is for one Accept; the listener goes on.
func TestAcceptReportsErrorsOfTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		for range 3 {
			r.source.fail <- syscall.EMFILE
		}
		if _, err := r.listener.Accept(); err != syscall.EMFILE {
			t.Errorf("%v, want EMFILE", err)
		}
		time.Sleep(time.Minute)
		c, err := r.dial(sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		accepted, err := r.listener.Accept()
		if err != nil {
			t.Fatal("the listener does not go on:", err)
		}
		accepted.Close()
	})
}

// A connection that is gone before it is accepted is accepted all the same, as in the kernel.
func TestClientGoneBeforeAccept(t *testing.T) {
	l, path := listen(t, sock.Stream, 0)
	dial(t, sock.Stream, path).Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

// The same for one whose Dial has returned just now: that it is not in the queue yet is nobody's
// business.
func TestCloseOfListenerResetsWhoHasJustDialled(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sock.Stream)
			defer r.end()
			c, err := r.dial(sock.Stream)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			r.listener.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			if _, err := c.Read(make([]byte, 9)); err != syscall.ECONNRESET {
				t.Fatalf("%v, want ECONNRESET", err)
			}
		})
	}
}

// Who dialled first is accepted first.
func TestAcceptInTheOrderOfDialling(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sock.Stream)
			defer r.end()
			for i := range 3 {
				c, err := r.dial(sock.Stream)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				send(t, c, fmt.Sprint(i))
			}
			for i := range 3 {
				c, err := r.listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(time.Minute))
				recv(t, c.(*endpoint.Conn), fmt.Sprint(i), 0)
			}
		})
	}
}

// An error that is over is nobody's any more.
func TestStaleAcceptError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.source.fail <- syscall.EMFILE
		synctest.Wait()
		time.Sleep(time.Hour)
		r.connect(onLinux, sock.Stream) // works again
		time.Sleep(time.Hour)
		r.listener.SetDeadline(time.Now().Add(time.Second))
		if _, err := r.listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, of two hours ago", err)
		}
	})
}
