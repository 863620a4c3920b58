package activation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"afunix"
	"afunix/internal/errno"
)

// A Manager is a connection to the service manager of this process. The methods of a nil Manager,
// that of a process without one, do nothing: there is nobody to tell. Several goroutines may call
// them at once.
type Manager struct {
	conn *afunix.Conn
	turn chan struct{} // has room for one: who tells something, since the deadline is that one's
}

// managerTimeout bounds how long the service manager may be too busy to listen.
const managerTimeout = 10 * time.Second

// Dial connects to the service manager that NOTIFY_SOCKET names, as in sd_notify(3). The Manager is
// nil, and so is the error, if there is none.
//
// An error says why the service manager cannot be told anything: the variable may have come here by
// accident, as into a container. So it is no reason not to serve. An address that is not of AF_UNIX
// (vsock:, by which a virtual machine tells its host) is errors.ErrUnsupported.
func Dial(ctx context.Context) (*Manager, error) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil, nil
	}
	if !isNotifySocket(address) {
		return nil, toldNothing(fmt.Errorf(
			"NOTIFY_SOCKET is %q, neither a path from the root nor a name that begins with @: %w",
			address, errors.ErrUnsupported))
	}
	d := afunix.Dialer{Timeout: managerTimeout}
	c, err := d.DialContext(ctx, "unixgram", address)
	if err != nil {
		return nil, toldNothing(err)
	}
	return &Manager{c, make(chan struct{}, 1)}, nil
}

// isNotifySocket reports whether the address is of the family AF_UNIX, as sd_notify(3) has it;
// others are those of virtual machines.
func isNotifySocket(address string) bool {
	return filepath.IsAbs(address) || strings.HasPrefix(address, "@") && len(address) > 1
}

func toldNothing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("notify the service manager: %w", err)
}

// Notify tells the service manager all of these in one datagram: READY=1, STATUS=…, STOPPING=1,
// WATCHDOG=1 and whatever else sd_notify(3) lists. That the manager has been told does not mean
// that it has done anything: see Barrier. A manager that is too busy is waited for, ten seconds at
// most.
func (m *Manager) Notify(ctx context.Context, states ...string) error {
	return m.tell(ctx, states)
}

// tell sends states in one datagram, with files.
func (m *Manager) tell(ctx context.Context, states []string, files ...afunix.Sendable) error {
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, managerTimeout)
	defer cancel()
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return toldNothing(context.Cause(ctx))
	}
	defer func() { <-m.turn }()
	defer m.bound(ctx)()
	_, err := m.conn.WriteMsgTo([]byte(strings.Join(states, "\n")), nil, files...)
	return toldNothing(err)
}

// bound makes a write fail when ctx ends, until release is called. Release leaves no deadline
// behind.
func (m *Manager) bound(ctx context.Context) (release func()) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		m.conn.SetWriteDeadline(past)
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
			m.conn.SetWriteDeadline(time.Time{})
		}
	}
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

// Reloading tells the service manager that this process reads its configuration anew. The manager
// waits for READY=1 (Type=notify-reload needs both). The message says when it was sent
// (MONOTONIC_USEC), so that the manager can tell it from an earlier one.
func (m *Manager) Reloading(ctx context.Context) error {
	states := []string{"RELOADING=1"}
	if now, ok := monotonic(); ok {
		states = append(states, fmt.Sprintf("MONOTONIC_USEC=%d", now.Microseconds()))
	}
	return m.tell(ctx, states)
}

// Store gives the service manager copies of descriptors to keep, under one name. The next process
// of this service finds them among its [Sockets], also after a crash, if FileDescriptorStoreMax= of
// the unit has room. The manager closes a descriptor of which the other end is closed. At most
// [afunix.MaxRights] go at a time. The name has 1 to 255 characters of ASCII, none of them ":" or a
// control character; other names are EINVAL.
func (m *Manager) Store(ctx context.Context, name string, files ...afunix.Sendable) error {
	if !isName(name) || len(files) == 0 {
		return toldNothing(invalidName(name, len(files)))
	}
	return m.tell(ctx, []string{"FDSTORE=1", "FDNAME=" + name}, files...)
}

// Remove makes the service manager close all that it keeps under the name.
func (m *Manager) Remove(ctx context.Context, name string) error {
	if !isName(name) {
		return toldNothing(invalidName(name, 1))
	}
	return m.tell(ctx, []string{"FDSTOREREMOVE=1", "FDNAME=" + name})
}

func invalidName(name string, files int) error {
	if files == 0 {
		return fmt.Errorf("%w: there is no descriptor to store as %q", syscall.EINVAL, name)
	}
	return fmt.Errorf("%w: %q cannot be the name of a descriptor", syscall.EINVAL, name)
}

// isName reports whether systemd takes a name for a descriptor (fdname_is_valid in
// src/basic/fd-util.c), which is not empty.
func isName(name string) bool {
	const longest = 255
	printable := func(r rune) bool { return ' ' <= r && r < 0x7f && r != ':' }
	return name != "" && len(name) <= longest && strings.IndexFunc(name, func(r rune) bool { return !printable(r) }) < 0
}

// Barrier waits until the service manager has taken in everything that it has been told before, by
// whichever process, or until ctx ends. Then this process may leave: of one that has left, a
// manager cannot tell to which service it belonged.
func (m *Manager) Barrier(ctx context.Context) error {
	if m == nil {
		return nil
	}
	return toldNothing(m.barrier(ctx))
}

// barrier sends one end of a pair, which the manager closes when it comes to that.
func (m *Manager) barrier(ctx context.Context) error {
	here, there, err := afunix.Pair("unix")
	if err != nil {
		return err
	}
	defer here.Close()
	defer there.Close()
	if err := m.tell(ctx, []string{"BARRIER=1"}, there); err != nil {
		return err
	}
	there.Close() // over the kernel transport it is still open here
	stop := context.AfterFunc(ctx, func() { here.SetReadDeadline(past) })
	defer stop()
	_, err = here.Read(make([]byte, 1))
	switch {
	case err == io.EOF, errors.Is(err, errno.ECONNRESET):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return errors.New("the answer to BARRIER=1 is data")
	}
	return err
}

// Close ends the connection.
func (m *Manager) Close() error {
	if m == nil {
		return nil
	}
	return m.conn.Close()
}
