package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"afunix"
	"afunix/internal/errno"
)

// A predecessor is the process from which this one takes over.
type predecessor struct {
	channel
	offers  []*offer      // that nobody has asked for
	passed  []*passed     // what the service manager has passed to it
	gone    bool          // it died before it was told that this process serves
	yielded chan struct{} // closed when it has yielded, or has left

	managed     bool // the service manager has been told that it serves
	knowsNumber bool // it has told this process its number, as the service manager knows it
}

// New calls a process that leaves while it does once more: so often, and after so long.
const (
	callTries = 5
	callPause = 10 * time.Millisecond
)

// findPredecessor connects to the process that serves now, and receives what that process offers.
// It returns nil if there is no such process.
func (u *Upgrader) findPredecessor(ctx context.Context) (*predecessor, error) {
	for try := 1; ; try++ {
		p, err := u.call(ctx)
		if !isGone(err) || try == callTries {
			return p, err
		}
		// It has been replaced in this moment, or has died: somebody else serves, or nobody.
		select {
		case <-time.After(callPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (u *Upgrader) call(ctx context.Context) (*predecessor, error) {
	d := afunix.Dialer{Transport: u.cfg.Transport}
	conn, err := d.DialContext(ctx, "unix", u.cfg.Address)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errno.ECONNREFUSED) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &predecessor{channel: channel{conn: conn}, yielded: make(chan struct{})}
	release := bound(ctx, conn)
	err = p.receiveOffers(&u.cfg)
	release()
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *predecessor) receiveOffers(cfg *Config) error {
	peer, err := p.conn.PeerCredentials()
	if err != nil {
		return err
	}
	if err := cfg.authorize(peer); err != nil {
		return err
	}
	if err := p.tell(message{Type: typeHello, Version: protocolVersion}); err != nil {
		return left(err)
	}
	for {
		m, rights, err := p.receive()
		switch {
		case err != nil:
			return left(err)
		case m.Type == typeOffered:
			rights.Close()
			p.managed = m.Managed
			p.knowsNumber = peer.PID != 0 && m.PID == os.Getpid()
			return nil
		case m.Type != typeOffer || m.Moves != (rights.Len() == 0):
			rights.Close()
			return unexpected(m)
		}
		if err := p.note(m, rights); err != nil {
			return err
		}
	}
}

// note takes an offer in.
func (p *predecessor) note(m message, rights afunix.Rights) error {
	if m.Kept {
		defer rights.Close()
		passed, err := passOn(m, rights)
		if err == nil {
			p.passed = append(p.passed, passed)
		}
		return err
	}
	o := &offer{key: m.Key, addr: &net.UnixAddr{Name: string(m.Addr), Net: m.Key.Network},
		moves: m.Moves, rights: rights}
	if m.File != nil {
		o.file = *m.File
	}
	p.offers = append(p.offers, o)
	return nil
}

// tell sends a message. A predecessor that does not take the message says why before it closes the
// channel. If the predecessor is dead, isGone holds for the error.
func (p *predecessor) tell(m message) error {
	err := p.send(m)
	if !isGone(err) {
		return err
	}
	answer, rights, err := p.receive()
	rights.Close()
	if err == nil {
		err = unexpected(answer)
	}
	return err
}

// left names the end of the stream for what it is.
func left(err error) error {
	if isGone(err) {
		return fmt.Errorf("the process has left: %w", err)
	}
	return err
}

// isGone reports whether err says that the other process has ended, or has closed the channel.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, errno.ECONNRESET) || errors.Is(err, errno.EPIPE)
}

// yield asks the predecessor to stop, and returns when it waits for nothing but confirm. Sockets
// that move have arrived.
func (p *predecessor) yield(ctx context.Context, sockets []socket) error {
	refuseAll(&p.offers)
	return p.unlessGone(ctx, func() error { return p.askToYield(sockets) })
}

// confirm tells the predecessor that this process serves from now on. An error means that it must
// not: the predecessor has given up waiting for it.
func (p *predecessor) confirm(ctx context.Context) error {
	return p.unlessGone(ctx, func() error { return p.tell(message{Type: typeTaken}) })
}

// unlessGone lets f talk to the predecessor until ctx ends. If that has died there is nobody to
// ask.
func (p *predecessor) unlessGone(ctx context.Context, f func() error) error {
	if p.gone {
		return nil
	}
	release := bound(ctx, p.conn)
	defer release()
	err := f()
	if p.gone = isGone(err); p.gone {
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

func (p *predecessor) askToYield(sockets []socket) error {
	byKey := make(map[key]socket)
	var keys []key
	for _, s := range sockets {
		if !s.source().renewed {
			keys = append(keys, s.id())
			byKey[s.id()] = s
		}
	}
	if err := p.tell(message{Type: typeReady, Keys: keys}); err != nil {
		return err
	}
	for {
		m, rights, err := p.receive()
		switch {
		case err != nil:
			return err
		case m.Type == typeCommit:
			rights.Close()
			return nil
		}
		s, ok := byKey[m.Key]
		if m.Type != typeMoved || !ok {
			rights.Close()
			return unexpected(m)
		}
		err = s.arrive(rights)
		rights.Close()
		if err != nil {
			return err
		}
	}
}

// close ends the channel.
func (p *predecessor) close() {
	refuseAll(&p.offers)
	closeAll(&p.passed)
	p.conn.Close()
}
