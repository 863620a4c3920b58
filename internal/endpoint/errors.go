package endpoint

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A protocolError is why a connection was ended that a peer has abused. It is EPROTO.
type protocolError struct{ err error }

func (e *protocolError) Error() string        { return fmt.Sprintf("connection ended: %v", e.err) }
func (e *protocolError) Unwrap() error        { return e.err }
func (e *protocolError) Is(target error) bool { return target == syscall.EPROTO }

var (
	errUnasked    = fmt.Errorf("%w: descriptors before they were agreed on", sock.ErrProtocol)
	errUnexpected = fmt.Errorf("%w: packet out of place", sock.ErrProtocol)
	errRole       = fmt.Errorf("%w: hello from the wrong side", sock.ErrProtocol)
	errNoEnd      = fmt.Errorf("%w: luggage of a message without ends", sock.ErrProtocol)
	errUnproved   = fmt.Errorf("%w: the peer could not prove which process it is", sock.ErrProtocol)
)

// errorOf returns the error that o is, with left for the one that the peer is gone.
func errorOf(o sock.Obstacle, left error) error {
	switch o {
	case sock.NoObstacle:
		return nil
	case sock.Closed:
		return net.ErrClosed
	case sock.Late:
		return os.ErrDeadlineExceeded
	case sock.BadName:
		return syscall.EINVAL
	case sock.TooLong:
		return syscall.EMSGSIZE
	case sock.Alone:
		return syscall.ENOTCONN
	case sock.Left:
		return left
	}
	return syscall.EPIPE
}

// failure returns what the user is told of err. What the peer did wrong is a protocol error.
func failure(err error) error {
	for _, fault := range []error{wire.ErrMalformed, sock.ErrProtocol, rights.ErrRecord, syscall.EMSGSIZE} {
		if errors.Is(err, fault) {
			return &protocolError{err}
		}
	}
	return err
}

// errMoving: the peer's end is moving, so descriptors have to be duplicated for another process.
var errMoving = errors.New("the peer is moving")

// errCrowded: there is no room for a message with ends of ours. They are what they were while it
// waits: whoever is to make room may be reading one of them.
var errCrowded = errors.New("ends do not wait for room")
