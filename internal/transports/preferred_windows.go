package transports

import (
	"context"
	"errors"
	"net"

	"afunix/internal/kernel"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/piped"
	others "afunix/internal/plain"
	"afunix/internal/transport"
)

// plain is what programs have that are not afunix.
type plain = others.Transport

// preferred is the pipe transport, which passes descriptors. Others do not; but their servers can
// be dialled.
type preferred struct{ piped.Transport }

// Dial connects a socket to the one called name: over the kernel transport if that is a socket of
// Windows' own AF_UNIX, as a plain stream if it is of a program that is not afunix.
func (p preferred) Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	c, err := p.Transport.Dial(ctx, network, laddr, name, authorize)
	if errors.Is(err, pipe.ErrNativeSocket) {
		return kernel.Transport{}.Dial(ctx, network, laddr, name, authorize)
	}
	if other := (*lookalike.Error)(nil); errors.As(err, &other) && network == "unix" && laddr == nil && dialled(other.What) {
		return plain{}.Dial(ctx, network, laddr, name, authorize)
	}
	return c, err
}

// dialled reports whether there is a stream behind what looks like a socket.
func dialled(what string) bool {
	return what == lookalike.Pipe || what == lookalike.Cygwin || what == lookalike.Assuan
}
