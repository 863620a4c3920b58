package endpoint_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Both ends of a connection are to move at the same time, and both stay. Each hears of the other
// one's move when that has come to nothing. Then descriptors go both ways at once.

// A crossing is a connection of a rig, and another one of the same two processes.
type crossing struct {
	*rig
	serverCarrier, clientCarrier *endpoint.Conn
}

func TestEndsThatBothStay(t *testing.T) {
	for name, cross := range map[string]func(x *crossing){
		"each was to leave": func(x *crossing) {
			x.comesToNothing(x.serverCarrier, x.server)
			x.comesToNothing(x.clientCarrier, x.client)
		},
		"each was to go over itself": func(x *crossing) {
			x.comesToNothing(x.server, x.server)
			x.comesToNothing(x.client, x.client)
		},
		"the server's end was to leave": func(x *crossing) {
			x.comesToNothing(x.serverCarrier, x.server)
			x.comesToNothing(x.client, x.client)
		},
		"the client's end was to leave": func(x *crossing) {
			x.comesToNothing(x.server, x.server)
			x.comesToNothing(x.clientCarrier, x.client)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newCrossing(t)
				defer x.end()
				x.serverPipe.hold()
				x.clientPipe.hold()
				cross(x)
				x.serverPipe.letGo()
				x.clientPipe.letGo()
				x.agree()
			})
		})
	}
}

// The server's end has stayed, and is to move again before there is room to say so. To its peer it
// goes over itself, and that gives way.
func TestAnEndMovesAgainThatCouldNotSayThatItStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrossing(t)
		defer x.end()
		x.clientPipe.hold()
		x.serverPipe.wrote = func() { x.clientPipe.limit(-1) }
		x.comesToNothing(x.server, x.server)
		x.serverPipe.wrote = nil

		again := start(func() (int, error) { return x.moveOver(x.serverCarrier, x.server) })
		x.pending(again, "the second move")
		client := start(func() (int, error) { return x.moveOver(x.client, x.client) })
		x.pending(client, "the client's move")
		if len(x.clientPipe.written(wire.Move)) != 1 {
			t.Error("the client's end does not move at the same time")
		}
		for _, c := range []*endpoint.Conn{x.serverCarrier, x.client} {
			c.SetWriteDeadline(time.Now().Add(time.Second))
		}
		x.clientPipe.letGo()
		x.clientPipe.limit(0)
		for _, moved := range []<-chan outcome{again, client} { // these pipes are no descriptors that could go
			if o := <-moved; o.n != 0 || o.err != syscall.EBADF {
				t.Errorf("the move: %+v", o)
			}
		}
		x.agree()
	})
}

// An end leaves, and hears that the other one was to go over itself. That one stays, since it hears
// of the first: so what there is to say is said before the first has left, and the next owner of
// that need not know.
func TestAnEndThatLeavesWhileTheOtherOneWasToGoOverItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrossing(t)
		defer x.end()
		x.serverPipe.hold()
		x.clientPipe.hold()
		leaves := start(func() (int, error) { return x.moveOver(x.serverCarrier, x.server) })
		x.pending(leaves, "the move")
		stays := start(func() (int, error) { return x.moveOver(x.client, x.client) })
		x.pending(stays, "the client's move")
		x.serverPipe.letGo()
		x.pending(leaves, "the move")
		if err := x.server.CloseWrite(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(x.serverPipe.written(wire.Shutdown)) != 1 {
			t.Error("the peer has not been told that nothing comes any more")
		}
		x.expire(x.serverCarrier, leaves)
		x.expire(x.client, stays)
		x.clientPipe.letGo()
		if n, err := x.client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer reads %d bytes, %v", n, err)
		}
	})
}

func newCrossing(t *testing.T) *crossing {
	r := newRig(t, sock.Stream)
	x := &crossing{rig: r}
	cfg := r.config(r.clientProc, sock.Stream)
	x.clientCarrier = r.connectWith(cfg)
	x.serverCarrier = r.server
	t.Cleanup(func() { x.clientCarrier.Close() })
	r.connectWith(cfg)
	synctest.Wait()
	return x
}

func (x *crossing) moveOver(over, end *endpoint.Conn) (int, error) {
	return over.Send([]byte("m"), []transport.File{{End: end}}, nil)
}

// comesToNothing begins to move an end, and gives that up.
func (x *crossing) comesToNothing(over, end *endpoint.Conn) {
	x.t.Helper()
	moved := start(func() (int, error) { return x.moveOver(over, end) })
	x.pending(moved, "the move")
	x.expire(over, moved)
}

// expire ends a move over a connection.
func (x *crossing) expire(over *endpoint.Conn, moved <-chan outcome) {
	x.t.Helper()
	over.SetWriteDeadline(time.Now())
	if o := <-moved; o.n != 0 || !errors.Is(o.err, os.ErrDeadlineExceeded) {
		x.t.Errorf("the move: %+v", o)
	}
	over.SetWriteDeadline(time.Time{})
}

// agree fails unless descriptors go both ways, in no time.
func (x *crossing) agree() {
	x.t.Helper()
	for _, way := range []struct {
		from, to *endpoint.Conn
		files    []transport.File
	}{
		{x.client, x.server, x.open(x.clientProc, descriptor.File, 1)},
		{x.server, x.client, x.open(x.serverProc, descriptor.File, 1)},
	} {
		for _, c := range []*endpoint.Conn{way.from, way.to} {
			c.SetDeadline(time.Now().Add(time.Millisecond))
		}
		sent := start(func() (int, error) { return way.from.Send([]byte("d"), way.files, nil) })
		recv(x.t, way.to, "d", 1).Close()
		if o := <-sent; o.n != 1 || o.err != nil {
			x.t.Errorf("a descriptor: %+v", o)
		}
	}
}
