package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"afunix"
	"afunix/activation"
)

// helloTimeout is how long another process may take for a message that needs no thought: who it is,
// or that it has heard something.
const helloTimeout = 10 * time.Second

// acceptPause is how long to wait when nobody can be accepted, since this process has no
// descriptors left, for example.
const acceptPause = time.Second

// errCalledOff is the error of an upgrade that this process has called off.
var errCalledOff = errors.New("called off")

// An attempt is an upgrade under way, as the process that serves sees it.
type attempt struct {
	channel
	u       *Upgrader
	pid     int // 0 for one of another PID namespace
	offered []socket
	passed  []*passed           // these are offered, too
	given   []given             // while it is not known whether the successor serves
	manager *activation.Manager // to be told who serves
	done    chan struct{}       // closed when it is over

	deciding bool // it has the turn

	// Under u.mu.
	committed bool // the successor may serve at any time now
	calledOff bool
}

// A given socket has moved to the successor, or was about to when something failed.
type given struct {
	socket socket
	sent   bool
}

// serveControl attends to those who call, until the control is closed.
func (u *Upgrader) serveControl(c *control) {
	for {
		conn, err := c.listener.AcceptConn()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			u.background.Go(func() { u.attend(conn) })
			continue
		}
		u.failed(fmt.Errorf("upgrade: wait for a successor: %w", err))
		select {
		case <-time.After(acceptPause):
		case <-u.stopped.Done():
			return
		}
	}
}

func (u *Upgrader) failed(err error) {
	if u.cfg.Failed != nil {
		u.cfg.Failed(err)
	}
}

// attend hands everything over to the process at the other end of conn, if that is to be.
func (u *Upgrader) attend(conn *afunix.Conn) {
	a := &attempt{channel: channel{conn: conn}, u: u, done: make(chan struct{})}
	err := a.meet()
	if errors.Is(err, io.EOF) || err != nil && u.stopped.Err() != nil {
		conn.Close() // it wanted nothing but to see whether somebody is here; or nobody is, any more
		return
	}
	if err == nil {
		err = u.handOver(a)
	} else {
		err = u.turnAway(a, err)
	}
	switch {
	case err == nil:
		return // the channel stays, for live connections
	case errors.Is(err, ErrNotReady):
		conn.Close() // it calls once more, and finds who serves now
		return
	}
	u.failed(fmt.Errorf("upgrade: %w", err))
	a.refuse(err)
}

// handOver returns nil once the successor serves. With an error, this process does.
func (u *Upgrader) handOver(a *attempt) error {
	if err := u.begin(a); err != nil {
		return u.turnAway(a, err)
	}
	defer a.release()
	err := a.run()
	if err != nil {
		err = u.turnAway(a, errors.Join(err, a.undo())) // before anybody hears that it is over
	}
	u.end(a, err)
	return err
}

// decide takes the turn, until release.
func (a *attempt) decide() error {
	if err := a.u.turn.take(a.u.stopped); err != nil {
		return fmt.Errorf("%w: it ends", errCalledOff)
	}
	a.deciding = true
	return nil
}

func (a *attempt) release() {
	if a.deciding {
		a.u.turn.giveBack()
	}
}

// turnAway adds to the error of an upgrade for which process it was, and tells Upgrade, if Upgrade
// has started that process.
func (u *Upgrader) turnAway(a *attempt, err error) error {
	err = fmt.Errorf("hand over to %v: %w", number(a.pid), err)
	u.failedOf(a.pid, err)
	return err
}

// meet returns nil if the other process may be a successor. The other process says first what it
// wants, and nothing is begun before that.
func (a *attempt) meet() error {
	peer, err := a.conn.PeerCredentials()
	if err != nil {
		return err
	}
	a.pid = peer.PID
	if err := a.u.cfg.authorize(peer); err != nil {
		return err
	}
	defer a.untilStopped()()
	if err := a.within(helloTimeout); err != nil {
		return err
	}
	hello, err := a.expect(typeHello)
	if err != nil {
		return err
	}
	if hello.Version != protocolVersion {
		return fmt.Errorf("it speaks version %d of the protocol, not %d", hello.Version, protocolVersion)
	}
	if isPID1() && a.pid != 0 {
		return ErrPID1
	}
	return nil
}

// untilStopped lets Close end what waits for the channel.
func (a *attempt) untilStopped() (release func() bool) {
	return context.AfterFunc(a.u.stopped, func() { a.conn.SetDeadline(past) })
}

// refuse tells the other process why it may not take over. It closes the channel when the other
// process has heard that, or has had time to. The other process may have left, and err may say so.
func (a *attempt) refuse(err error) {
	defer a.conn.Close()
	a.conn.SetDeadline(time.Now().Add(helloTimeout))
	stop := context.AfterFunc(a.u.stopped, func() { a.conn.SetReadDeadline(past) })
	defer stop()
	if a.send(message{Type: typeAbort, Reason: err.Error()}) == nil && a.conn.CloseWrite() == nil {
		io.Copy(io.Discard, a.conn)
	}
}

// busyPause is how long a successor waits for another one to end, which may have failed a moment
// ago.
const busyPause = time.Second / 2

// begin makes a the upgrade that is under way.
func (u *Upgrader) begin(a *attempt) error {
	for late := time.After(busyPause); ; {
		other, err := u.tryBegin(a)
		if other == nil {
			return err
		}
		select {
		case <-other.done:
		case <-late:
			return ErrBusy
		case <-u.stopped.Done():
			return ErrNotReady
		}
	}
}

// tryBegin is begin, if no other upgrade is under way.
func (u *Upgrader) tryBegin(a *attempt) (other *attempt, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.successor != nil {
		return nil, ErrNotReady
	}
	if u.attempt == nil {
		u.attempt = a
		a.offered = slices.Clone(u.sockets)
		a.passed = slices.Clone(u.passed)
		return nil, nil
	}
	return u.attempt, nil
}

// end is the end of an upgrade: with err nil, of this process's service.
func (u *Upgrader) end(a *attempt, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attempt = nil
	if err == nil {
		closeAll(&u.passed)
		u.successor = &a.channel
		close(u.taken)
	}
	close(a.done)
}

// run returns nil once the successor serves.
func (a *attempt) run() error {
	defer a.untilStopped()()
	defer func() { a.manager.Close() }()
	keys, err := a.untilReady()
	if err != nil {
		return left(err)
	}
	if err := a.decide(); err != nil {
		return err
	}
	if err := a.u.commit(a); err != nil {
		return err
	}
	if err := a.commit(keys); err != nil {
		return left(err)
	}
	a.yield(keys)
	return nil
}

// untilReady makes all offers, and returns which of them the successor wants when it is ready.
func (a *attempt) untilReady() ([]key, error) {
	if err := a.within(a.u.cfg.readyTimeout()); err != nil {
		return nil, err
	}
	if err := a.offer(); err != nil {
		return nil, err
	}
	ready, err := a.expect(typeReady)
	if errors.Is(err, os.ErrDeadlineExceeded) && a.u.stopped.Err() == nil {
		err = fmt.Errorf("not ready after %v: %w", a.u.cfg.readyTimeout(), err)
	}
	return ready.Keys, err
}

// within sets how long the channel may be waited for. Close ends it in any case.
func (a *attempt) within(d time.Duration) error {
	if err := a.conn.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	if a.u.stopped.Err() != nil { // or Close sees to it, after the line above
		return fmt.Errorf("%w: it ends", errCalledOff)
	}
	return nil
}

func (a *attempt) offer() error {
	for _, s := range a.offered {
		if s.source().kept {
			continue // it is one of those below
		}
		if err := a.offerSocket(s); err != nil {
			return fmt.Errorf("%v: %w", s.id(), err)
		}
	}
	for _, p := range a.passed {
		if err := a.send(a.u.offerOf(p), p.descriptor); err != nil {
			return fmt.Errorf("%s of the service manager: %w", p.Name, err)
		}
	}
	s := a.u.standing()
	last := message{Type: typeOffered, Managed: s.managed}
	if s.numbered {
		last.PID = a.pid
	}
	return a.send(last)
}

func (a *attempt) offerSocket(s socket) error {
	m := message{Type: typeOffer, Key: s.id(), File: s.source().file.Load().message()}
	file, moves, err := s.lend()
	switch {
	case errors.Is(err, net.ErrClosed):
		return nil
	case err != nil:
		return err
	case moves:
		m.Moves, m.Addr = true, []byte(s.address())
		return a.send(m)
	}
	return a.send(m, file)
}

// commit makes it impossible to call a off, unless that has been done.
func (u *Upgrader) commit(a *attempt) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a.calledOff {
		return errCalledOff
	}
	a.committed = true
	return nil
}

// commit lets the successor serve, and waits until it says that it does. What moves has to go
// before. Meanwhile this process goes on with everything else.
func (a *attempt) commit(keys []key) (err error) {
	if err := a.within(a.u.cfg.readyTimeout()); err != nil {
		return err
	}
	if a.manager, err = activation.Dial(a.u.stopped); err != nil && a.u.standing().managed {
		return err
	}
	for _, s := range a.wanted(keys) {
		if _, moves, err := s.lend(); err != nil || !moves {
			continue // one that was closed meanwhile does not go
		}
		if err := a.give(s); err != nil {
			return fmt.Errorf("%v: %w", s.id(), err)
		}
	}
	if err := a.send(message{Type: typeCommit}); err != nil {
		return err
	}
	_, err = a.expect(typeTaken)
	switch {
	case err == nil, isGone(err):
		return err
	case a.hasSaid(typeTaken):
		return nil // just now
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && a.u.stopped.Err() == nil {
		err = fmt.Errorf("it was told to serve, and does not after %v: %w", a.u.cfg.readyTimeout(), err)
	}
	return err
}

func (a *attempt) wanted(keys []key) []socket {
	return slices.DeleteFunc(slices.Clone(a.offered), func(s socket) bool { return !slices.Contains(keys, s.id()) })
}

func (a *attempt) give(s socket) error {
	a.given = append(a.given, given{socket: s})
	file, err := s.give()
	if err != nil {
		return err
	}
	if err := a.send(message{Type: typeMoved, Key: s.id()}, file); err != nil {
		return err
	}
	a.given[len(a.given)-1].sent = true
	return nil
}

// yield ends the service of this process. What the successor does not want stays with it.
func (a *attempt) yield(keys []key) {
	for _, s := range a.wanted(keys) {
		s.leave()
	}
	a.u.mu.Lock()
	a.u.control.leave()
	a.u.control = nil // its file is the successor's now
	a.u.mu.Unlock()
	a.tellManager()
	_ = a.send(message{Type: typeYielded}) // if it has died, nobody is left to hear it
	a.conn.SetDeadline(time.Time{})        // live connections may go much later
}

// undo brings everything back to where it was before commit.
func (a *attempt) undo() error {
	if !a.mustUndo() {
		return nil
	}
	var errs []error
	for _, g := range a.given {
		if err := g.socket.restore(g.sent); err != nil {
			errs = append(errs, fmt.Errorf("%v is lost: %w", g.socket.id(), err))
		}
	}
	errs = append(errs, a.u.republish(a.u.stopped, nil))
	return errors.Join(errs...)
}

// mustUndo reports whether there is something to undo, and somebody to go on.
func (a *attempt) mustUndo() bool {
	a.u.mu.Lock()
	defer a.u.mu.Unlock()
	return a.committed && a.u.stopped.Err() == nil
}

// republish makes a new control, since that which was at the address may not be there any more: a
// successor may have put its own there before it died, or somebody has removed it. The check is
// that of publish. The caller has the turn.
func (u *Upgrader) republish(ctx context.Context, check func(context.Context) error) error {
	fresh, err := bindControl(ctx, &u.cfg)
	if err != nil {
		return err
	}
	if err := fresh.publish(ctx, check); err != nil {
		return errors.Join(err, fresh.end())
	}
	former, ok := u.replaceControl(fresh)
	if !ok {
		return fresh.end()
	}
	u.background.Go(func() { u.serveControl(fresh) })
	return former.leave()
}

// replaceControl fails when Close has ended the former one.
func (u *Upgrader) replaceControl(fresh *control) (former *control, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, false
	}
	former, u.control = u.control, fresh
	return former, true
}
