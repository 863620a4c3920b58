package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"

	"afunix/activation"
)

// A standing is what is known of this process and its service manager.
type standing struct {
	managed  bool // the service manager has been told that this process serves; so it has to hear who does next
	numbered bool // the service manager knows this process by the number that it knows itself by
}

// standing waits until the service manager has heard of this process, or has had time to.
func (u *Upgrader) standing() standing {
	select {
	case <-u.told:
	case <-u.stopped.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stands
}

// numbered is what of a standing is known before Ready.
func (u *Upgrader) numbered() bool {
	if u.predecessor != nil {
		return u.predecessor.knowsNumber
	}
	return isManagersNumber()
}

// mainPID tells the service manager which process serves, if that can be said.
func (s standing) mainPID(pid int) []string {
	if !s.numbered || pid == 0 {
		return nil
	}
	return []string{fmt.Sprintf("MAINPID=%d", pid)}
}

// dialIfManaged connects to the service manager if the predecessor has told the service manager
// that it serves. An error keeps this process from serving: nobody could tell the service manager
// that the predecessor serves no more.
func (u *Upgrader) dialIfManaged(ctx context.Context) (*activation.Manager, error) {
	if u.predecessor == nil || !u.predecessor.managed {
		return nil, nil
	}
	return activation.Dial(ctx)
}

// tellManager tells the service manager that this process serves. A process with a predecessor does
// so when the predecessor has told the service manager of its successor: before that it would not
// be believed. It changes nothing if the service manager does not hear.
func (u *Upgrader) tellManager(ctx context.Context, m *activation.Manager) {
	defer close(u.told)
	s := standing{numbered: u.numbered()}
	var err error
	if m == nil {
		if m, err = activation.Dial(ctx); err == nil {
			defer m.Close()
		}
	}
	if err == nil {
		err = m.Notify(ctx, append([]string{"READY=1"}, s.mainPID(os.Getpid())...)...)
	}
	if err != nil {
		u.failed(fmt.Errorf("upgrade: this process serves now: %w", err))
	}
	s.managed = m != nil && err == nil
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stands = s
}

// errNotNumbered is why the service manager does not hear who serves.
var errNotNumbered = errors.New("the service manager cannot be told which process that is, " +
	"since its PID namespace is another one")

// tellManager tells the service manager that the successor serves. The service manager believes the
// main process alone, which is this process until now. So it has not heard anything that the
// successor has told it.
func (a *attempt) tellManager() {
	s := a.u.standing()
	err := a.manager.Notify(a.u.stopped, append(s.mainPID(a.pid), "READY=1")...)
	if err == nil && a.manager != nil && s.numbered && a.pid == 0 {
		err = errNotNumbered
	}
	if err != nil {
		a.u.failed(fmt.Errorf("upgrade: %v serves now: %w", number(a.pid), err))
	}
}
