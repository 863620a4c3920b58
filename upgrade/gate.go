package upgrade

import (
	"cmp"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"afunix/internal/locks"
)

// A gate says whether this process may take something from a socket: not before Ready has
// succeeded, nor after a successor has taken over. A call that comes too early or too late waits,
// until the gate opens or the socket is closed. A call that comes too late waits for the close
// alone: an error would make servers fail in the moment in which they should finish their work.
type gate[S closer] struct {
	mu       locks.Mutex[locks.Gate]
	changed  *sync.Cond
	socket   S // what is behind the gate; may be replaced while it is shut
	open     bool
	ending   bool // close has been called: the socket does not go anywhere else
	closed   bool
	deadline time.Time // of those who wait; zero is never
}

// A closer is a net.Listener or a net.PacketConn.
type closer interface {
	comparable
	Close() error
}

func newGate[S closer](socket S) *gate[S] {
	g := &gate[S]{socket: socket}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// pass waits until the gate is open and returns the socket; net.ErrClosed, os.ErrDeadlineExceeded.
func (g *gate[S]) pass() (socket S, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.open || g.closed {
		switch wait := time.Until(g.deadline); {
		case g.closed:
			return socket, net.ErrClosed
		case g.deadline.IsZero():
			g.changed.Wait()
		case wait <= 0:
			return socket, os.ErrDeadlineExceeded
		default:
			alarm := time.AfterFunc(wait, g.wake)
			g.changed.Wait()
			alarm.Stop()
		}
	}
	return g.socket, nil
}

// wake lets those who wait look again. It takes the lock so that nobody is between looking and
// waiting.
func (g *gate[S]) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Broadcast()
}

// admits reports whether socket is behind the gate and the gate is open. If not, an error of the
// socket only says that somebody has shut the gate, or closed it.
func (g *gate[S]) admits(socket S) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open && !g.closed && g.socket == socket
}

// update changes the gate, and lets those who wait look again.
func (g *gate[S]) update(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	g.changed.Broadcast()
}

// get returns the socket whether the gate is open or not. There is none before one has come from a
// predecessor, and after take.
func (g *gate[S]) get() (socket S, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.socket == socket {
		return socket, net.ErrClosed
	}
	return g.socket, nil
}

// lend is get for a socket that is to go to another process.
func (g *gate[S]) lend() (socket S, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ending || g.socket == socket {
		return socket, net.ErrClosed
	}
	return g.socket, nil
}

// put places a socket behind the gate. If that has been closed, it closes the socket.
func (g *gate[S]) put(socket S) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		socket.Close()
		return
	}
	g.socket = socket
}

// take shuts the gate and returns what was behind it, if anything.
func (g *gate[S]) take() (socket S) {
	g.update(func() {
		g.open = false
		socket, g.socket = g.socket, socket
	})
	return socket
}

// empty closes what is behind the gate, if anything.
func (g *gate[S]) empty() {
	var none S
	if socket := g.take(); socket != none {
		socket.Close()
	}
}

// close closes the socket, after a last word to it, and then wakes those who wait: a socket file
// goes before anybody learns of it. A second call waits for the first one.
func (g *gate[S]) close(last func(S)) (err error) {
	if !g.end() {
		return nil
	}
	for {
		socket, empty := g.closeIfEmpty()
		if empty {
			return err
		}
		last(socket)
		if failure := socket.Close(); !errors.Is(failure, net.ErrClosed) { // by leave, for example
			err = cmp.Or(err, failure)
		}
		g.remove(socket)
	}
}

// end reports whether this is the first close. If not, it waits for that.
func (g *gate[S]) end() (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ending {
		g.ending = true
		return true
	}
	for !g.closed {
		g.changed.Wait()
	}
	return false
}

// closeIfEmpty closes the gate, if there is nothing behind it. Else it returns what is.
func (g *gate[S]) closeIfEmpty() (socket S, empty bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if empty = g.socket == socket; empty {
		g.closed = true
		g.changed.Broadcast()
	}
	return g.socket, empty
}

// remove makes nothing of the socket, which is closed, if it is behind the gate still.
func (g *gate[S]) remove(socket S) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var none S
	if g.socket == socket {
		g.open, g.socket = false, none
	}
}
