package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"afunix/internal/errno"
	"afunix/internal/sockfile"
)

// watchPause is how often a process that serves looks whether others can still find it.
var watchPause = 10 * time.Second

// A turn belongs to one goroutine at a time. It belongs to the goroutine that decides which process
// can be found where: an upgrade, from the moment in which its successor may serve until the
// upgrade is over; or the goroutine that looks after the address.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take fails when ctx ends, but not if nobody has the turn.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) giveBack() { <-t }

// watch says what has become unreachable, once, until this process serves no more.
func (u *Upgrader) watch() {
	said := make(map[string]bool)
	again := time.NewTicker(watchPause)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			found, again := u.look()
			u.say(again)
			u.sayNews(said, found)
		case <-u.taken:
			return
		case <-u.stopped.Done():
			return
		}
	}
}

func (u *Upgrader) say(err error) {
	if err != nil {
		u.failed(err)
	}
}

// sayNews says what is wrong, unless it was the last time.
func (u *Upgrader) sayNews(said map[string]bool, found map[string]error) {
	for what, err := range found {
		if !said[what] {
			u.say(err)
		}
		said[what] = err != nil
	}
}

// look finds out, for the address and for each socket, what is wrong; or nothing, where another
// process is about to serve. What has been put right is again.
func (u *Upgrader) look() (found map[string]error, again error) {
	ctx, cancel := context.WithTimeout(u.stopped, helloTimeout)
	defer cancel()
	if u.turn.take(ctx) != nil {
		return nil, nil
	}
	defer u.turn.giveBack()
	again, err := u.stayFindable(ctx)
	found = map[string]error{"": err}
	for _, s := range u.served() {
		err := s.source().check()
		if err != nil {
			err = fmt.Errorf("upgrade: %v: %w", s.id(), err)
		}
		if err == nil || u.isOpen(s.id()) { // it may have been closed meanwhile, and its file removed
			found[s.id().String()] = err
		}
	}
	return found, again
}

// served returns the sockets of a process that serves.
func (u *Upgrader) served() []socket {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.successor != nil {
		return nil
	}
	return append([]socket(nil), u.sockets...)
}

// beFindable lets the next process find this one.
func (u *Upgrader) beFindable(ctx context.Context) error {
	if err := u.turn.take(ctx); err != nil {
		return err
	}
	again, err := u.stayFindable(ctx)
	u.turn.giveBack()
	u.say(again)
	return err
}

// stayFindable publishes this process again if the file at the address is gone, or one at which
// nobody listens: again says so. The caller has the turn.
func (u *Upgrader) stayFindable(ctx context.Context) (again, err error) {
	u.mu.Lock()
	c := u.control
	u.mu.Unlock()
	if c == nil {
		return nil, nil // it has a successor
	}
	lost := c.file().check()
	if lost == nil {
		return nil, nil
	}
	lost = fmt.Errorf("upgrade: Config.Address: %w", lost)
	if err := u.republish(ctx, u.expectNoSocket); err != nil {
		return nil, fmt.Errorf("%w; and it cannot be published again: %w", lost, err)
	}
	return fmt.Errorf("%w; it is published again", lost), nil
}

// expectNoSocket returns nil if there is nothing at the address, or a socket file whose socket
// nobody has any more, whichever process made it.
func (u *Upgrader) expectNoSocket(context.Context) error {
	at := u.cfg.Address
	_, stale := sockfile.StaleID(at)
	switch _, err := os.Lstat(at); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !sockfile.IsSocket(at):
		return &os.PathError{Op: "replace", Path: at, Err: errno.ENOTSOCK}
	case !stale:
		return &os.PathError{Op: "listen at", Path: at, Err: errno.EADDRINUSE}
	}
	return nil
}
