package endpoint

import (
	"context"
	"errors"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Dial makes a connection of a pipe whose other end a Listener has. It owns p, which is closed on
// an error. The errors are EAGAIN if the backlog is full or the other side out of descriptors for
// long, ETIMEDOUT if it says nothing for a minute, EPROTOTYPE if the socket is of another type,
// ECONNREFUSED if the other side does not want us, what Authorize says, and that of ctx.
func Dial(ctx context.Context, p pipe.Pipe, cfg Config) (*Conn, error) {
	c := newConn(p, cfg, false, sock.RightsWindow)
	if err := c.dial(ctx, cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// Pair makes a connection of the two ends of one pipe of this process. It owns both, which are
// closed on an error.
func Pair(a, b pipe.Pipe, cfg Config) (*Conn, *Conn, error) {
	server, client := newConn(a, cfg, true, sock.RightsWindow), newConn(b, cfg, false, sock.RightsWindow)
	atServer, atClient := greeting{c: &server.session, cfg: cfg}, greeting{c: &client.session, cfg: cfg}
	welcomed := make(chan error, 1)
	go func() {
		err := atServer.asServer(func() {}, func() (int, wire.Status) { return sock.RightsWindow, wire.OK })
		if err != nil {
			a.Close() // the client must not wait for an answer
		}
		welcomed <- err
	}()
	err := atClient.asClient()
	if err != nil {
		b.Close()
	}
	if err := errors.Join(err, <-welcomed); err != nil {
		a.Close()
		b.Close()
		return nil, nil, err
	}
	go server.turn.run()
	go client.turn.run()
	return server, client, nil
}
