//go:build unix && !linux

package kernel

import (
	"context"
	"errors"
	"syscall"

	"afunix/internal/sockfile"
)

// full makes EAGAIN of the ECONNREFUSED of a listener whose backlog is full, for a caller that
// would wait for room. The kernel says the same if nobody listens (sys/kern/uipc_usrreq.c:
// unp_connectat). So a socket that is bound and does not listen yet is waited for, too.
func full(ctx context.Context, network, name string, err error) error {
	_, waits := ctx.Deadline()
	if waits && network != dgram && errors.Is(err, syscall.ECONNREFUSED) && sockfile.Bound(name) {
		return syscall.EAGAIN
	}
	return err
}
