package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"afunix"
	"afunix/internal/errno"
	"afunix/internal/locks"
)

// Errors of an upgrade. The error around them says more.
var (
	// ErrRefused is the error of a successor that the running process has sent away. The text says
	// why.
	ErrRefused = errors.New("refused by the running process")
	// ErrBusy says that another upgrade is under way.
	ErrBusy = errors.New("another upgrade is under way")
	// ErrNotReady says that this process cannot have a successor: Ready has not succeeded, a
	// successor has taken over already, or Close was called.
	ErrNotReady = errors.New("this process is not the one that serves")
)

// A Config says how a process and its successor find each other.
type Config struct {
	// Address is where the running process can be reached: the path of an AF_UNIX socket, in a
	// directory that only its owner can write to. All generations of a server have the same
	// Address. It may have as many bytes as a socket's address: 107 on Linux and Windows, 103 on
	// macOS and the BSDs. Two paths beside it are used for a moment: the Address with .lock behind
	// it, and the Address with a dot and eight hexadecimal digits behind it. If the latter would be
	// too long, dot and digits take the place of the Address's end. If the last part of the Address
	// is very short, there are fewer digits.
	//
	// If the file there is removed while this process serves, the process puts it there again:
	// within ten seconds, and in Upgrade before that starts a process.
	//
	// On Windows the name of a pipe, of a device or of a file on another machine is refused, and
	// not opened. While a program has the file open without FILE_SHARE_DELETE, as os.Open has, no
	// successor can take the Address over: Ready waits half a second and then fails with EBUSY, and
	// the predecessor serves on. Where there are no POSIX semantics (on other file systems than
	// NTFS, and before Windows 10 1607), any program that has the file open is in the way.
	Address string

	// Authorize, if not nil, says who may take over from this process, and from whom this process
	// takes over. With nil only the same user may.
	Authorize func(peer afunix.Credentials) error

	// ReadyTimeout is how long a successor may take until it is ready. Once the successor has been
	// told to serve, it may take as long again until it serves. 0 means a minute.
	ReadyTimeout time.Duration

	// Command returns the command by which Upgrade starts the successor. With nil the command is
	// the program of this process, found again by the name that it was started with, with the same
	// arguments, directory, environment and standard files.
	Command func() *exec.Cmd

	// Failed, if not nil, is told of each upgrade that was begun and failed while this process
	// served. Nothing has changed then. Failed is also told of three things that cannot make an
	// upgrade fail, but that an operator should know: the service manager could not be told who
	// serves, nobody can connect at the Address, or clients cannot find a socket (ErrUnreachable).
	// Failed must not call Close.
	Failed func(err error)

	// Transport is how the processes talk to each other. To hand over sockets of the pipe
	// transport, it has to be the pipe transport, too.
	Transport afunix.Transport

	// Listen, if not nil, makes the listeners that no predecessor had, which must be Sendable. With
	// nil, package afunix makes the listeners of the networks "unix" and "unixpacket", and package
	// net all others. If Listen fails with EADDRINUSE because a dead process has left its socket
	// file, that file is removed, and Listen is called again.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// ListenPacket is to datagram sockets what Listen is to listeners. Package afunix makes those
	// of the network "unixgram".
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
}

func (cfg *Config) readyTimeout() time.Duration {
	if cfg.ReadyTimeout == 0 {
		return time.Minute
	}
	return cfg.ReadyTimeout
}

// authorize says whether the other process may be that.
func (cfg *Config) authorize(peer afunix.Credentials) error {
	switch {
	case cfg.Authorize != nil:
		return cfg.Authorize(peer)
	case !peer.SameUser():
		return fmt.Errorf("%v is not of the same user", number(peer.PID))
	}
	return nil
}

// An Upgrader is the part of one process in a chain of processes that serve one after the other.
// Its methods may be called by several goroutines at once.
type Upgrader struct {
	cfg Config

	taken       chan struct{} // closed once a successor has taken over
	told        chan struct{} // closed once the service manager has heard that this process serves, or has had time to
	stopped     context.Context
	stop        context.CancelFunc // called by Close
	background  sync.WaitGroup
	predecessor *predecessor // nil if there was none
	arrivals    *arrivals

	turn turn // taken before mu
	// readying is held by Ready, and by what must not happen at the same time. Locked before mu.
	readying locks.Mutex[locks.Readying]

	mu        locks.Mutex[locks.Upgrader]
	ready     bool
	closed    bool
	sockets   []socket
	passed    []*passed // what the service manager has passed to this process, or to one before
	control   *control  // where successors call; nil until ready
	attempt   *attempt  // the upgrade under way, if any
	awaited   *waiter   // what Upgrade waits for, if it does
	successor *channel  // to the process that has taken over
	stands    standing  // once told is closed

	sending locks.Mutex[locks.Sending] // held while a live connection goes to the successor
}

// New looks for the process that serves now and, if there is one, receives its sockets. New does
// not disturb that process, which goes on serving until [Upgrader.Ready] is called here, and also
// if this process never comes so far.
func New(ctx context.Context, cfg Config) (*Upgrader, error) {
	var err error
	if cfg.Address, err = checkAddress(cfg.Address); err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	u := &Upgrader{cfg: cfg, taken: make(chan struct{}), told: make(chan struct{}),
		arrivals: newArrivals(), turn: newTurn()}
	u.stopped, u.stop = context.WithCancel(context.Background())
	if u.passed, err = takeActivated(); err != nil {
		return nil, fmt.Errorf("upgrade: sockets of the service manager: %w", err)
	}
	u.passed = append(takeUnused(), u.passed...)
	if u.predecessor, err = u.findPredecessor(ctx); err != nil {
		leaveUnused(u.passed)
		return nil, fmt.Errorf("upgrade: take over from the process at %s: %w", cfg.Address, err)
	}
	if u.predecessor == nil {
		u.arrivals.close()
		return u, nil
	}
	u.passed, u.predecessor.passed = append(u.predecessor.passed, u.passed...), nil
	return u, nil
}

// Done returns a channel that is closed when a successor has taken over. From then on this process
// takes no new work. It finishes the work that it has, and leaves.
func (u *Upgrader) Done() <-chan struct{} { return u.taken }

// Ready says that this process can serve, and returns nil once it does. Then the predecessor has
// stopped taking new work, and Accept and ReadFrom of the sockets here begin to take it. An error
// means that this process does not serve, and that the predecessor, if it lives, goes on as if
// there had been nothing. If the predecessor has died meanwhile, this process serves in its place.
//
// Then the service manager is told, if there is one. Ready waits ten seconds at most for that. If
// the service manager cannot be told, Config.Failed is. There is one exception: if the service
// manager knows the predecessor as the process that serves, a successor that cannot tell it does
// not serve.
func (u *Upgrader) Ready(ctx context.Context) error {
	if err := u.becomeReady(ctx); err != nil {
		return fmt.Errorf("upgrade: become ready: %w", err)
	}
	return nil
}

func (u *Upgrader) becomeReady(ctx context.Context) error {
	u.readying.Lock()
	defer u.readying.Unlock()
	sockets, err := u.unready()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(u.stopped, cancel)()
	control, err := bindControl(ctx, &u.cfg)
	if err != nil {
		return err
	}
	manager, err := u.dialIfManaged(ctx)
	if err == nil {
		defer manager.Close()
		err = u.takeOver(ctx, sockets, control)
	}
	if err != nil {
		return errors.Join(err, u.withdraw(sockets, control))
	}
	u.open(control)
	if u.followsSomebody() {
		u.awaitYielded(ctx)
	}
	u.tellManager(ctx, manager)
	return nil
}

// followsSomebody reports whether there is a predecessor that is alive.
func (u *Upgrader) followsSomebody() bool { return u.predecessor != nil && !u.predecessor.gone }

// awaitYielded waits for the predecessor to do what it does when its successor serves; but not for
// long, since that does already.
func (u *Upgrader) awaitYielded(ctx context.Context) {
	select {
	case <-u.predecessor.yielded:
	case <-ctx.Done():
	case <-time.After(helloTimeout):
	}
}

// unready returns the sockets of a process that has not become ready, and still may.
func (u *Upgrader) unready() ([]socket, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ready || u.closed {
		return nil, ErrNotReady
	}
	return slices.Clone(u.sockets), nil
}

// takeOver does everything that may fail, and the predecessor's consent last: until then, to close
// the channel undoes it all.
func (u *Upgrader) takeOver(ctx context.Context, sockets []socket, control *control) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if u.predecessor != nil {
		if err := u.predecessor.yield(ctx, sockets); err != nil {
			return err
		}
	}
	for _, s := range sockets {
		if err := s.prepare(); err != nil {
			return fmt.Errorf("%v: %w", s.id(), err)
		}
	}
	if u.followsSomebody() {
		if err := control.publish(ctx, nil); err != nil {
			return err
		}
		return u.predecessor.confirm(ctx)
	}
	return control.publish(ctx, u.expectNobody)
}

// expectNobody returns nil if nobody serves at the address.
func (u *Upgrader) expectNobody(ctx context.Context) error {
	p, err := u.findPredecessor(ctx)
	if p != nil {
		p.close()
	}
	if p != nil || errors.Is(err, ErrRefused) {
		return &os.PathError{Op: "serve at", Path: u.cfg.Address, Err: errno.EADDRINUSE}
	}
	return err
}

// withdraw undoes takeOver. The channel is closed last: that makes the predecessor go on, for which
// nothing may be in its way.
func (u *Upgrader) withdraw(sockets []socket, control *control) error {
	err := control.end()
	if u.predecessor == nil {
		return err
	}
	for _, s := range sockets {
		s.withdraw()
	}
	u.predecessor.close()
	return err
}

// open begins to serve.
func (u *Upgrader) open(control *control) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.sockets {
		s.open()
	}
	u.ready = true
	u.control = control
	u.background.Go(func() { u.serveControl(control) })
	u.background.Go(u.watch)
	if u.predecessor != nil {
		u.background.Go(func() { u.predecessor.receiveConns(u.arrivals) })
	}
}

// Close ends the part of this process: the process can have no successor any more, and an upgrade
// under way is called off. The sockets stay open for the process that serves with them.
func (u *Upgrader) Close() error {
	u.stop() // also what Ready waits for
	u.readying.Lock()
	defer u.readying.Unlock()
	if !u.beginClose() {
		return nil
	}
	err := u.endControl()
	if u.predecessor != nil {
		u.predecessor.close()
	}
	u.background.Wait()
	if u.successor != nil {
		err = errors.Join(err, u.successor.conn.Close())
	}
	u.mu.Lock()
	closeAll(&u.passed)
	u.mu.Unlock()
	u.arrivals.close()
	u.arrivals.discard()
	return err
}

// beginClose reports whether it is the first call.
func (u *Upgrader) beginClose() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	closed := u.closed
	u.closed = true
	return !closed
}

// endControl makes this process one that nobody finds, once nobody else decides about that.
func (u *Upgrader) endControl() error {
	_ = u.turn.take(context.Background()) // all others have been told to stop
	defer u.turn.giveBack()
	u.mu.Lock()
	control := u.control
	u.mu.Unlock()
	if control == nil {
		return nil
	}
	return control.end()
}

// add makes s one of the sockets that are offered to a successor, and that Ready opens. If Ready
// has succeeded already, s is opened at once. The caller holds readying.
func (u *Upgrader) add(s socket) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return net.ErrClosed
	}
	if u.ready {
		if err := s.prepare(); err != nil {
			return err
		}
		s.open()
	}
	u.sockets = append(u.sockets, s)
	return nil
}

// forget is called when s is closed.
func (u *Upgrader) forget(s socket) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sockets = slices.DeleteFunc(u.sockets, func(other socket) bool { return other == s })
	for _, p := range u.passed {
		if p.user == s {
			p.user = nil
		}
	}
}

// use notes that s is what p was asked for.
func (u *Upgrader) use(p *passed, s socket) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p.user, p.last = s, s.id()
}

// isOpen reports whether there is a socket k already.
func (u *Upgrader) isOpen(k key) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(u.sockets, func(s socket) bool { return s.id() == k })
}
