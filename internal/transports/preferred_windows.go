package transports

import (
	"context"
	"errors"
	"net"

	"afunix/internal/kernel"
	"afunix/internal/pipe"
	"afunix/internal/piped"
	"afunix/internal/transport"
)

// preferred is the pipe transport, which passes descriptors. Windows' own AF_UNIX, the kernel
// transport, does not; but a socket of it can be dialled.
type preferred struct{ piped.Transport }

// Dial connects a socket to the one called name, over the kernel transport if that is a socket of
// Windows' own AF_UNIX.
func (p preferred) Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	c, err := p.Transport.Dial(ctx, network, laddr, name, authorize)
	if errors.Is(err, pipe.ErrNativeSocket) {
		return kernel.Transport{}.Dial(ctx, network, laddr, name, authorize)
	}
	return c, err
}
