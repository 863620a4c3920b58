package upgrade

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"afunix"
	"afunix/internal/longpath"
)

// A socket is what goes from process to process: a [Listener] or a [PacketConn]. Its methods are
// called by one goroutine at a time, except that its user may close it at any time.
type socket interface {
	id() key
	address() string
	source() *origin

	// create makes the socket anew, at the address.
	create(ctx context.Context, address string) error
	// adopt makes it of an offer, of which nothing is left then. If it fails the offer is as it
	// was.
	adopt(o *offer) error

	// lend returns the descriptor for a message. If it moves, the socket is of no use here once the
	// message is sent.
	lend() (file afunix.Sendable, moves bool, err error)
	// give is lend for a descriptor that moves: from now on nobody takes anything from the socket
	// here.
	give() (afunix.Sendable, error)
	// leave ends taking from the socket here, since the successor does.
	leave()
	// restore undoes give. If sent, the descriptor has gone and will not come back.
	restore(sent bool) error

	// arrive owns a descriptor that has moved here.
	arrive(afunix.Rights) error

	// withdraw closes a socket that cannot be used by two processes, so that the other one can make
	// it anew.
	withdraw()
	// prepare does what may fail before the gate is opened.
	prepare() error
	open()
}

// An origin says where a socket comes from.
type origin struct {
	kept    bool // the service manager has it, too, so its socket file is not this process's to remove
	renewed bool // the predecessor has another one, and keeps that
	file    atomic.Pointer[socketFile]
}

func (o *origin) source() *origin { return o }

// from notes that the socket is that of an offer.
func (o *origin) from(other *offer) {
	o.kept = other.passed != nil
	o.file.Store(&other.file)
}

// made notes that the socket has just been made.
func (o *origin) made(network, address string) {
	f := fileAt(network, address)
	o.file.Store(&f)
}

// check returns ErrUnreachable if clients cannot find the socket any more.
func (o *origin) check() error {
	if f := o.file.Load(); f != nil {
		return f.check()
	}
	return nil
}

// removeFile removes the file of a socket that has moved to a process which may hang. It had to be
// taken from there.
func (o *origin) removeFile() error { return o.file.Load().remove() }

// sendable returns how socket goes from process to process.
func sendable(socket any) (file afunix.Sendable, moves bool, err error) {
	file, ok := socket.(afunix.Sendable)
	if !ok {
		return nil, false, fmt.Errorf("%T: %w", socket, afunix.ErrNotSendable)
	}
	end, ok := socket.(interface{ Transport() afunix.Transport })
	return file, ok && end.Transport() == afunix.PipeTransport, nil
}

// A Listener is a [net.Listener] that goes from process to process.
type Listener struct {
	origin
	key  key
	addr net.Addr
	gate *gate[net.Listener]
	u    *Upgrader

	hidden  bool        // the listener below does not know its socket file, which has a long path
	unlinks atomic.Bool // Close is to remove that
}

var _ net.Listener = (*Listener)(nil)

// Accept waits for the next connection. Until [Upgrader.Ready] has succeeded, Accept accepts
// nobody. Once a successor has taken over, Accept accepts nobody any more: it waits until Close is
// called, and then returns [net.ErrClosed]. A connection is exactly what the listener below
// accepts, such as a *[net.TCPConn].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.gate.pass()
		if err != nil {
			return nil, &net.OpError{Op: "accept", Net: l.key.Network, Addr: l.addr, Err: err}
		}
		c, err := inner.Accept()
		if err == nil || l.gate.admits(inner) {
			return c, err
		}
	}
}

// Close stops listening in this process. If a successor has taken over, the successor goes on
// listening, and clients notice nothing.
func (l *Listener) Close() error {
	l.u.forget(l)
	return l.gate.close(func(inner net.Listener) {
		switch {
		case l.check() != nil:
			unlinkOnClose(inner, false) // a *net.UnixListener does not look whose file it removes
		case l.hidden && l.unlinks.Load():
			_ = l.removeFile() // as package net, which does not say whether that has failed
		}
	})
}

// Addr returns the address on which l listens.
func (l *Listener) Addr() net.Addr { return l.addr }

func (l *Listener) id() key         { return l.key }
func (l *Listener) address() string { return l.addr.String() }

func (l *Listener) create(ctx context.Context, address string) error {
	inner, err := l.u.cfg.listen(ctx, l.key.Network, address)
	if err != nil {
		return err
	}
	l.addr, l.gate = inner.Addr(), newGate(inner)
	l.made(l.key.Network, address)
	return nil
}

func (l *Listener) adopt(o *offer) error {
	l.addr, l.gate = o.addr, newGate[net.Listener](nil)
	if !o.moves {
		inner, err := o.rights.Listener(0)
		if err != nil {
			return err
		}
		l.addr, l.gate = inner.Addr(), newGate(inner)
		if longpath.IsWay(l.addr.String()) { // by which another process has bound it
			l.addr = &net.UnixAddr{Name: string(o.file.Path), Net: l.key.Network}
			l.hidden = true
		}
	}
	l.from(o)
	return nil
}

func (l *Listener) lend() (afunix.Sendable, bool, error) {
	inner, err := l.gate.lend()
	if err != nil {
		return nil, false, err
	}
	return sendable(inner)
}

func (l *Listener) give() (afunix.Sendable, error) {
	l.gate.update(func() {
		if !l.gate.ending {
			l.gate.open = false
			l.unlinkOnClose(l.gate.socket, false)
		}
	})
	file, _, err := l.lend()
	return file, err
}

func (l *Listener) leave() {
	if inner := l.gate.take(); inner != nil {
		l.unlinkOnClose(inner, false)
		inner.Close()
	}
}

func (l *Listener) restore(sent bool) error {
	if sent {
		l.gate.take() // nothing is left of it
		if err := l.removeFile(); err != nil {
			return err
		}
	}
	if err := l.prepare(); err != nil {
		return err
	}
	l.open()
	return nil
}

func (l *Listener) arrive(r afunix.Rights) error {
	inner, err := r.Listener(0)
	if err != nil {
		return err
	}
	l.gate.put(inner)
	return nil
}

func (l *Listener) withdraw() {
	if _, moves, err := l.lend(); err == nil && moves {
		l.gate.empty()
	}
}

// prepare makes another listener, if that which should have come here has not.
func (l *Listener) prepare() error {
	if _, err := l.gate.get(); err == nil {
		return nil
	}
	inner, err := l.u.cfg.listen(l.u.stopped, l.key.Network, l.address())
	if err == nil {
		l.made(l.key.Network, l.address())
		l.gate.put(inner)
	}
	return err
}

func (l *Listener) open() {
	if inner, err := l.gate.get(); err == nil {
		l.unlinkOnClose(inner, !l.kept)
	}
	l.gate.update(func() {
		if inner, ok := l.gate.socket.(deadliner); ok && !l.gate.deadline.IsZero() {
			inner.SetDeadline(l.gate.deadline) // or Accept says what is wrong
		}
		l.gate.open = l.gate.socket != nil
	})
}

// unlinkOnClose says whether Close removes the socket file. The listener below does that, unless
// the file is hidden from it.
func (l *Listener) unlinkOnClose(inner net.Listener, unlink bool) {
	l.unlinks.Store(unlink)
	unlinkOnClose(inner, unlink)
}

// unlinkOnClose makes, or does not make, the last process of several that have had a listener
// remove its socket file.
func unlinkOnClose(l net.Listener, unlink bool) {
	if l, ok := l.(interface{ SetUnlinkOnClose(bool) }); ok {
		l.SetUnlinkOnClose(unlink)
	}
}
