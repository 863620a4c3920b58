package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"afunix"

	"afunix/internal/locks"
)

// maxState leaves room for the rest of the message, which is base64.
const maxState = maxMessage*3/4 - 1024

// SendConn gives a live connection to the successor. The successor gets the connection from
// ReceiveConn together with state, of at most 700 KiB, which tells the successor how to go on. Done
// must have been closed. Nobody may be reading from or writing to the connection, and what has been
// read ahead belongs into state. When SendConn has returned nil, the successor has the connection,
// and the connection is closed here. If SendConn fails, the connection is still this process's,
// except for a connection of the pipe transport that has moved already.
func (u *Upgrader) SendConn(ctx context.Context, conn net.Conn, state []byte) error {
	if err := u.sendConn(ctx, conn, state); err != nil {
		return fmt.Errorf("upgrade: send a connection: %w", err)
	}
	return nil
}

func (u *Upgrader) sendConn(ctx context.Context, conn net.Conn, state []byte) error {
	u.mu.Lock()
	ch, closed := u.successor, u.closed
	u.mu.Unlock()
	file, ok := conn.(afunix.Sendable)
	switch {
	case ch == nil || closed:
		return errors.New("there is no successor")
	case !ok:
		return fmt.Errorf("%T: %w", conn, afunix.ErrNotSendable)
	case len(state) > maxState:
		return fmt.Errorf("its state has %d bytes, of which at most %d can be sent", len(state), maxState)
	}
	u.sending.Lock()
	defer u.sending.Unlock()
	if err := ch.handConn(ctx, file, state); err != nil {
		return err
	}
	conn.Close() // a duplicate, now
	return nil
}

// handConn returns nil when the other process has said that it has the connection.
func (c *channel) handConn(ctx context.Context, file afunix.Sendable, state []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	release := bound(ctx, c.conn)
	err := c.send(message{Type: typeConn, State: state}, file)
	if err == nil {
		_, err = c.expect(typeGot)
	}
	release()
	var unsendable *afunix.RightsError
	if err == nil || errors.As(err, &unsendable) {
		return err
	}
	if c.hasSaid(typeGot) {
		return nil
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return left(err)
}

// ReceiveConn returns the next live connection that the predecessor has sent, with its state. It
// returns io.EOF when there will be no more: the predecessor has left, or there was none.
// ReceiveConn waits for Ready.
func (u *Upgrader) ReceiveConn(ctx context.Context) (net.Conn, []byte, error) {
	stop := context.AfterFunc(ctx, u.arrivals.wake)
	defer stop()
	return u.arrivals.next(ctx)
}

// receiveConns takes in live connections, once the predecessor has yielded, until it leaves.
func (p *predecessor) receiveConns(to *arrivals) {
	defer to.close()
	_, err := p.expect(typeYielded)
	close(p.yielded)
	for err == nil {
		var m message
		var rights afunix.Rights
		if m, rights, err = p.receive(); err == nil {
			err = p.takeConn(m, rights, to)
			rights.Close()
		}
	}
	p.conn.Close() // it has left, or learns by this that it keeps what it has
}

func (p *predecessor) takeConn(m message, rights afunix.Rights, to *arrivals) error {
	if m.Type != typeConn {
		return unexpected(m)
	}
	conn, err := rights.Conn(0)
	if err != nil {
		return err
	}
	if err := p.send(message{Type: typeGot}); err != nil {
		conn.Close()
		return err
	}
	to.add(arrival{conn, m.State})
	return nil
}

// arrivals are live connections that wait for ReceiveConn.
type arrivals struct {
	mu      locks.Mutex[locks.Arrivals]
	changed *sync.Cond
	waiting []arrival
	closed  bool
}

type arrival struct {
	conn  net.Conn
	state []byte
}

func newArrivals() *arrivals {
	a := new(arrivals)
	a.changed = sync.NewCond(&a.mu)
	return a
}

func (a *arrivals) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed.Broadcast()
}

func (a *arrivals) add(c arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, c)
	a.changed.Broadcast()
}

// close says that there will be no more.
func (a *arrivals) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.changed.Broadcast()
}

// discard closes those that nobody has received.
func (a *arrivals) discard() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.waiting {
		c.conn.Close()
	}
	a.waiting = nil
}

func (a *arrivals) next(ctx context.Context) (net.Conn, []byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.waiting) == 0 {
		switch {
		case a.closed:
			return nil, nil, io.EOF
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		}
		a.changed.Wait()
	}
	c := a.waiting[0]
	a.waiting = a.waiting[1:]
	return c.conn, c.state, nil
}
