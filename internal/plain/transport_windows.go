package plain

import (
	"context"
	"errors"
	"net"

	"afunix/internal/cred"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/transport"
	"afunix/internal/winpipe"
)

// Transport dials: a [transport.Transport] that can do nothing else.
type Transport struct{ transport.None }

var _ transport.Transport = Transport{}

// Dial connects to the server of the pipe, or the socket file of another program, that has this
// name. Nothing is sent before authorize has let the server pass. Errors are those of connect(2).
func (Transport) Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	if network != stream || laddr != nil {
		return nil, errors.ErrUnsupported
	}
	if public := lookalike.PipeAt(name); public != "" {
		if err := lookalike.CheckPipe(public); err != nil {
			return nil, err
		}
		return dialPipe(ctx, public, remote(name), authorize)
	}
	r, err := rendezvousAt(name)
	if err != nil {
		return nil, err
	}
	return dialPort(ctx, r, remote(name), authorize)
}

// stream is the one network of package net that there is.
const stream = "unix"

func remote(name string) *net.UnixAddr { return &net.UnixAddr{Name: name, Net: stream} }

// dialPipe connects to the server of a pipe.
func dialPipe(ctx context.Context, public string, remote *net.UnixAddr, authorize transport.Authorize) (transport.Conn, error) {
	s, err := winpipe.OpenStream(ctx, public)
	if err != nil {
		return nil, err
	}
	c := &pipeConn{Stream: s, local: nobody, remote: remote}
	c.peer, c.sure, c.peerErr = s.Peer()
	if err := allowed(authorize, c.peer, c.peerErr); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// Accepted makes a connection of a client of a public name, whose guest it owns, also if it fails.
func Accepted(guest pipe.Guest, local *net.UnixAddr) (transport.Conn, error) {
	g := guest.(*winpipe.Guest)
	c := &pipeConn{local: local, remote: nobody}
	c.peer, c.peerErr = g.Peer()
	c.sure = g.Sure()
	var err error
	if c.Stream, err = g.Stream(); err != nil {
		return nil, err
	}
	return c, nil
}

// nobody is the address of an end without a name.
var nobody = &net.UnixAddr{Net: stream}

// allowed asks authorize, if there is one, about the peer. Not to know the peer is to refuse it.
func allowed(authorize transport.Authorize, peer cred.Credentials, unknown error) error {
	switch {
	case authorize == nil:
		return nil
	case unknown != nil:
		return unknown
	}
	return authorize(peer)
}
