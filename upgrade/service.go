package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"afunix"
)

// notify tells the service manager, if this process has one, as sd_notify(3) does.
func notify(state ...string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	d := afunix.Dialer{Transport: afunix.KernelTransport} // the other end is not ours
	c, err := d.DialContext(context.Background(), "unixgram", address)
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	_, err = c.Write([]byte(strings.Join(state, "\n")))
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

func mainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }
