package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"afunix"
	"afunix/activation"
)

// Listen listens at the address, or takes the listener from the service manager if that has passed
// any.
func (a Address) Listen(ctx context.Context, lc *afunix.ListenConfig) (*Listener, error) {
	l, err := a.passed(ctx)
	if l == nil && err == nil {
		l, err = a.listen(ctx, lc)
	}
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l, Address: a.at(l.Addr())}, nil
}

// passed returns the listener that the service manager has passed; nil if that has passed nothing.
func (a Address) passed(ctx context.Context) (net.Listener, error) {
	sockets, err := activation.Take()
	if err != nil || len(sockets.Names()) == 0 {
		return nil, err
	}
	defer sockets.Close()
	l, err := sockets.Listener(ctx, "", a.Network, a.Name)
	if err != nil {
		return nil, a.notPassed(sockets, err)
	}
	return l, nil
}

// notPassed says which sockets the service manager has passed, if that is not the one.
func (a Address) notPassed(sockets *activation.Sockets, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the service manager has passed %q, and none is a socket at %s", err, sockets.Names(), a)
	}
	return err
}

func (a Address) listen(ctx context.Context, lc *afunix.ListenConfig) (net.Listener, error) {
	if a.Network == "tcp" {
		return new(net.ListenConfig).Listen(ctx, a.Network, a.Name)
	}
	return lc.Listen(ctx, a.Network, a.Name)
}

// A Listener is a Source at an address.
type Listener struct {
	net.Listener
	Address Address // that it really has, whatever was typed
}

// Accept waits for a client.
func (l *Listener) Accept() (End, string, error) {
	c, err := l.Listener.Accept()
	switch c := c.(type) {
	case *afunix.Conn:
		return Socket(c), describe(c) + " at " + l.Address.String(), nil
	case *net.TCPConn:
		return TCP(c), c.RemoteAddr().String() + " at " + l.Address.String(), nil
	}
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			err = &Temporary{err}
		}
	}
	return nil, "", err
}

// describe says who a client is.
func describe(c *afunix.Conn) string {
	who, err := c.PeerCredentials()
	switch {
	case err != nil:
		return "an unknown process"
	case who.SID != "":
		return fmt.Sprintf("process %d of user %s", who.PID, who.SID)
	}
	return fmt.Sprintf("process %d of user %d", who.PID, who.UID)
}
