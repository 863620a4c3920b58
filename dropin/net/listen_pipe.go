//go:build windows || (linux && afunix_pipe)

package net

import (
	"context"
	"errors"
	"net"
	"os"

	"afunix"
	"afunix/dropin/internal/ends"
)

// Listen announces on the local network address, as net.Listen. What that returns for network
// "unixgram" accepts nobody, and is package net's.
func Listen(network, address string) (Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenPacket announces on the local network address, as net.ListenPacket. What that returns for
// networks "unix" and "unixpacket" receives nothing, and is package net's.
func ListenPacket(network, address string) (PacketConn, error) {
	return new(ListenConfig).ListenPacket(context.Background(), network, address)
}

// ListenUnix acts like Listen for Unix networks. The network must be "unix" or "unixpacket".
func ListenUnix(network string, laddr *UnixAddr) (*UnixListener, error) {
	return listenUnix(context.Background(), &ListenConfig{}, network, laddr)
}

// ListenUnixgram acts like ListenPacket for Unix networks. The network must be "unixgram".
func ListenUnixgram(network string, laddr *UnixAddr) (*UnixConn, error) {
	return listenUnixgram(context.Background(), &ListenConfig{}, network, laddr)
}

// ListenConfig is net.ListenConfig, which can be had of it by conversion, but listens on Unix
// networks over the pipe transport. There it refuses to listen with a Control function: the
// function would be shown a descriptor that is not a socket's.
type ListenConfig net.ListenConfig

// Listen announces on the local network address.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (Listener, error) {
	if network != "unix" && network != "unixpacket" {
		return (*net.ListenConfig)(lc).Listen(ctx, network, address)
	}
	l, err := listenUnix(ctx, lc, network, &UnixAddr{Name: address, Net: network})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ListenPacket announces on the local network address.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (PacketConn, error) {
	if network != "unixgram" {
		return (*net.ListenConfig)(lc).ListenPacket(ctx, network, address)
	}
	c, err := listenUnixgram(ctx, lc, network, &UnixAddr{Name: address, Net: network})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// MultipathTCP reports whether MPTCP will be used.
func (lc *ListenConfig) MultipathTCP() bool { return (*net.ListenConfig)(lc).MultipathTCP() }

// SetMultipathTCP directs whether any Listen method will use, or not use, MPTCP, if supported by
// the operating system.
func (lc *ListenConfig) SetMultipathTCP(use bool) { (*net.ListenConfig)(lc).SetMultipathTCP(use) }

func listenUnix(ctx context.Context, lc *ListenConfig, network string, laddr *UnixAddr) (*UnixListener, error) {
	if err := lc.check(network, laddr, "unix", "unixpacket"); err != nil {
		return nil, listenError(network, laddr, err)
	}
	pipe := afunix.ListenConfig{Transport: afunix.PipeTransport, ReplaceStale: replacesStale()}
	l, err := pipe.Listen(ctx, network, ends.Name(laddr.Name))
	if err != nil {
		return nil, listenError(network, laddr, err)
	}
	return newUnixListener(l), nil
}

func listenUnixgram(ctx context.Context, lc *ListenConfig, network string, laddr *UnixAddr) (*UnixConn, error) {
	if err := lc.check(network, laddr, "unixgram"); err != nil {
		return nil, listenError(network, laddr, err)
	}
	pipe := afunix.ListenConfig{Transport: afunix.PipeTransport, ReplaceStale: replacesStale()}
	c, err := pipe.ListenPacket(ctx, network, ends.Name(laddr.Name))
	if err != nil {
		return nil, listenError(network, laddr, err)
	}
	return newUnixConn(c, false), nil
}

// replacesStale reports whether whoever runs this program wants socket files replaced that a dead
// process has left.
func replacesStale() bool { return os.Getenv("AFUNIX_REPLACE_STALE") == "1" }

// check refuses what cannot be listened to.
func (lc *ListenConfig) check(network string, laddr *UnixAddr, known ...string) error {
	for _, k := range known {
		switch {
		case k != network:
		case laddr == nil:
			return errMissingAddress
		case lc.Control != nil:
			return errors.ErrUnsupported
		default:
			return nil
		}
	}
	return net.UnknownNetworkError(network)
}

func listenError(network string, laddr *UnixAddr, err error) error {
	return &net.OpError{Op: "listen", Net: network, Addr: opAddr(laddr), Err: plain(err)}
}
