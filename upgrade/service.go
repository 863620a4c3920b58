package upgrade

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"afunix"
)

// A manager is a connection to the service manager of this process; nil if that has none. It is made while a process can still say
// that it does not serve, and used when it can not.
type manager struct{ conn *afunix.Conn }

// managerTimeout bounds how long the service manager may be too busy to listen.
const managerTimeout = 10 * time.Second

func dialManager() (*manager, error) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil, nil
	}
	d := afunix.Dialer{Timeout: managerTimeout}
	c, err := d.DialContext(context.Background(), "unixgram", address)
	if err != nil {
		return nil, toldNothing(err)
	}
	return &manager{c}, nil
}

// tell says what sd_notify(3) does, in one datagram.
func (m *manager) tell(state ...string) error {
	if m == nil {
		return nil
	}
	err := m.conn.SetDeadline(time.Now().Add(managerTimeout))
	if err == nil {
		_, err = m.conn.Write([]byte(strings.Join(state, "\n")))
	}
	return toldNothing(err)
}

func (m *manager) close() {
	if m != nil {
		m.conn.Close()
	}
}

func toldNothing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("notify the service manager: %w", err)
}

func mainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }
