package endpoint_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

// Listeners that are closed while they move, or by moving.

// carried begins to move a slow listener, up to the moment in which nobody is accepted any more.
func carried(t *testing.T) (l *endpoint.Listener, path string, slow *slowSource, moves call, other *endpoint.Conn) {
	t.Helper()
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, other := pairOf(t, cfg)
	l, path, slow = slowly(t, cfg)
	moves = begin(t, "the move", path, func() error { return move(carrier, l) })
	slow.suspend.await(t, "the move")
	return l, path, slow, moves, other
}

// A listener that has moved is closed here, in the same order.
func TestTheSocketFileOfAListenerThatHasMovedIsNoMoreWhenAcceptReturns(t *testing.T) {
	l, path, slow, moves, _ := carried(t)
	accepts := acceptMany(t, l, path)
	slow.suspend.lift()
	slow.unlink.await(t, "the move")
	for _, c := range append(accepts, moves) {
		c.waits(t)
	}
	// The file may take its time, but no lock is held.
	deadline := begin(t, "SetDeadline", path, func() error { return l.SetDeadline(time.Now().Add(time.Hour)) })
	if err := deadline.ends(t); err != nil {
		t.Errorf("SetDeadline: %v", err)
	}
	slow.unlink.lift()
	allClosed(t, accepts)
	if err := moves.ends(t); err != nil {
		t.Errorf("the move: %v", err)
	}
	allClosed(t, []call{begin(t, "Close", path, l.Close)})
}

// One that stays behind when it was told to, as ever.
func TestTheSocketFileOfAListenerThatHasMovedStaysIfItIsTo(t *testing.T) {
	l, path, slow, moves, _ := carried(t)
	l.SetUnlinkOnClose(false)
	slow.suspend.lift()
	slow.unlink.lift()
	if err := moves.ends(t); err != nil {
		t.Errorf("the move: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// A listener that is closed while it moves gives its file up at once, whatever becomes of the move.
func TestCloseOfAListenerThatMovesRemovesTheSocketFileFirst(t *testing.T) {
	for _, failure := range []error{nil, syscall.EMSGSIZE} {
		l, path, slow, moves, _ := carried(t)
		slow.failure = failure
		accepts := acceptMany(t, l, path)
		closes := begin(t, "Close", path, l.Close)
		slow.unlink.await(t, "Close")
		for _, c := range append(accepts, moves, closes) {
			c.waits(t)
		}
		slow.unlink.lift()
		if err := closes.ends(t); err != nil {
			t.Errorf("Close: %v", err)
		}
		allClosed(t, accepts)
		moves.waits(t)
		slow.suspend.lift()
		if err := moves.ends(t); !errors.Is(err, failure) {
			t.Errorf("the move: %v, want %v", err, failure)
		}
		select {
		case <-slow.closed:
		default:
			t.Error("its source has not been closed")
		}
		allClosed(t, []call{begin(t, "Close", path, l.Close)})
	}
}

// A connection that is closed while it moves takes along what has come since.
func TestAConnectionThatIsClosedWhileItMovesTakesAlongWhatComes(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	end, e := carrierToStranger(t, cfg)
	e.file = uint64(file(t).Value)
	carrier, other := pairOf(t, cfg)
	moved := start(func() (int, error) { return 1, move(carrier, end) })
	announced := e.hearA(wire.Move)
	if err := end.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	e.packet(withRecords(1, 1, e.own()))
	e.packet(wire.Packet{Type: wire.Ack, Serial: announced.Serial})
	if o := await(t, moved, "the move"); o.err != nil {
		t.Fatal(o.err)
	}
	set := recv(t, other, "m", 1)
	defer set.Close()
	err := set.Give(0, func(_ uintptr, _ descriptor.Kind, end descriptor.End) error {
		c := end.(*endpoint.Conn)
		recv(t, c, "x", 1).Close()
		return c.Close()
	})
	if err != nil {
		t.Error(err)
	}
}
