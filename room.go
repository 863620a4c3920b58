package afunix

import (
	"context"
	"errors"
	"time"

	"afunix/internal/errno"
	"afunix/internal/sockfile"
	"afunix/internal/transport"
)

// This file is about a listener with as many clients in its backlog as may wait there. No system
// tells a client that waits in poll(2), or its like, when there is room. A call of connect(2) that
// waits would cost a thread, and could not be ended. So DialContext tries again.

// The pauses between two tries: the first, and the longest.
const (
	firstPause   = time.Millisecond
	longestPause = 32 * time.Millisecond
)

// whenThereIsRoom calls dial, again and again while the backlog is full, until the deadline of ctx;
// once if there is no deadline.
func (d *Dialer) whenThereIsRoom(ctx context.Context, dial func() (transport.Conn, error)) (transport.Conn, error) {
	_, bounded := ctx.Deadline()
	t, err := dial()
	if !bounded || !errors.Is(err, errno.EAGAIN) {
		return t, err
	}
	for pause := firstPause; errors.Is(err, errno.EAGAIN); pause = min(2*pause, longestPause) {
		if err = sleep(ctx, pause); err == nil {
			t, err = d.dialAgain(ctx, dial)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = noRoomError{}
	}
	return t, err
}

// dialAgain calls dial, of which an earlier call may have left the socket file of LocalAddr.
func (d *Dialer) dialAgain(ctx context.Context, dial func() (transport.Conn, error)) (transport.Conn, error) {
	if d.LocalAddr == nil {
		return dial()
	}
	return sockfile.OverStale(ctx, d.LocalAddr.Name, dial)
}

// sleep waits, and returns the error of ctx if that ends meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A noRoomError says that time was up before there was room in the backlog. It is both
// [context.DeadlineExceeded] and EAGAIN.
type noRoomError struct{}

func (noRoomError) Error() string {
	return "i/o timeout: as many clients wait at the listener as may"
}

func (noRoomError) Unwrap() []error { return []error{context.DeadlineExceeded, errno.EAGAIN} }

// Timeout is the method of net.Error.
func (noRoomError) Timeout() bool { return true }
