package pipe

import "afunix/internal/cred"

// A Source is where a listener's pipes come from.
type Source interface {
	// Accept waits for the next client's pipe. After Close or Suspend it returns those of clients
	// that have been let in already, if there are such, and then net.ErrClosed.
	Accept() (Pipe, error)

	// Unlink does what comes first in Close: it removes the socket file, unless SetUnlinkOnClose
	// has been told otherwise. Only the first call does; the others wait for that one, and return
	// what it has. It may take a second where somebody else has the file open, in which clients are
	// let in as before. It can be called after Suspend, too.
	Unlink() error

	// Close is Unlink, and stops accepting. The error is that of Unlink, if there is one.
	Close() error

	SetUnlinkOnClose(unlink bool)

	// Suspend ends accepting without turning any client away: clients that come from now on wait
	// for the process that goes on with the descriptors and the state that Suspend returns (P8).
	// There are at least one and at most MaxHandles descriptors, and at most MaxSourceState bytes
	// of state. The descriptors are still the source's, and stay open until Close. An error means
	// that nothing has changed.
	Suspend() (descriptors []uintptr, state []byte, err error)

	// Resume undoes Suspend, unless Close was called. It is called once Accept has left.
	Resume()
}

// A Host is a Source that may have a second door, with a public name, at which programs come that
// do not speak our protocol.
type Host interface {
	// AcceptGuest waits for the next of them, as Accept does for a pipe. Without such a door it
	// fails with net.ErrClosed.
	AcceptGuest() (Guest, error)
}

// A Guest is a client of a [Host] that nobody has accepted. What becomes of one that is accepted is
// a stream, and no pipe.
type Guest interface {
	// Peer returns the process that has connected; EPERM: the system does not say which it is.
	Peer() (cred.Credentials, error)
	// Descriptor returns the descriptor by which the guest is handed on, behind those that
	// [Source.Suspend] has returned. Whoever gets it meets the guest at AcceptGuest.
	Descriptor() uintptr
	// Close turns the guest away. In a process that has been handed the guest it stays.
	Close() error
}

// A Named source of OpenSource knows what it is bound to, as its state says.
type Named interface{ Name() string }

// A Shedder is a Source that keeps something back, so that a client can be told when there is no
// room for one.
type Shedder interface {
	// Shed returns the pipe of a client that waits; EAGAIN if there is none. It is closed before
	// Replenish is called.
	Shed() (Pipe, error)
	// Replenish keeps it back again, if that is possible by now.
	Replenish()
}
