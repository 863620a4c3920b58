package pipe

import "context"

// A Source is where a listener's pipes come from.
type Source interface {
	// Accept waits for the next client's pipe. After Close or Suspend it returns those of clients
	// that have been let in already, if there are such, and then net.ErrClosed.
	Accept() (Pipe, error)
	Close() error
	SetUnlinkOnClose(unlink bool)

	// Suspend ends accepting without turning anybody away: clients that come from now on wait for
	// whoever goes on with the descriptors that it returns, and the state (P8). Of these there are
	// at least one and at most MaxHandles, and of the state at most MaxSourceState bytes. The
	// descriptors are still the source's, and stay open until Close. An error means that nothing
	// has changed.
	Suspend() (descriptors []uintptr, state []byte, err error)

	// Resume undoes Suspend, unless Close was called. It is called once Accept has left.
	Resume()
}

// A Shedder is a Source that keeps something back, so that a client can be told when there is no
// room for one.
type Shedder interface {
	// Shed returns the pipe of a client that waits; EAGAIN if there is none. It is closed before
	// Replenish is called.
	Shed() (Pipe, error)
	// Replenish keeps it back again, if that is possible by now.
	Replenish()
}

// An Opener makes pipes and sources of what another process has handed on (P8). It owns the
// descriptors that it is given, also if it fails; EPROTO: they are not what they should be. Nothing
// that it does waits, whatever the descriptors are.
type Opener interface {
	// OpenPipe makes a pipe of one end, of the side that created it (the server) or the one that
	// opened it.
	OpenPipe(v uintptr, server bool) (Pipe, error)
	// OpenSource makes a source of what Source.Suspend returned.
	OpenSource(descriptors []uintptr, state []byte) (Source, error)
}

// A Network is the names of datagram sockets, and what they lead to.
type Network interface {
	// Find returns what name leads to now. Errors are those of connect(2).
	Find(name string) (Place, error)
	// Dial opens a pipe to the socket called name. Errors are those of connect(2), and that of ctx.
	Dial(ctx context.Context, name string) (Pipe, error)
	// Listen binds name, or one of its own choice if that is "", and returns what it bound.
	Listen(name string) (Source, string, error)
}

// A Place is equal to another one as long as the name that it was found by leads to the same socket.
// (It may differ though it does.)
type Place [4]uint64
