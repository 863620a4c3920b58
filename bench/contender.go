package bench

import (
	"fmt"
	"io"
)

// An End is one end of a connection.
type End interface {
	// Read and Write carry bytes. A Write of at most 64 KiB is taken whole; where there are
	// messages it is one.
	io.ReadWriteCloser

	// Pass sends data, which is not empty, and descriptors as one message. The descriptors stay the
	// cargo's.
	Pass(data []byte, cargo *Cargo) error

	// Receive receives such a message into buf, closes its descriptors, and returns how many there
	// were.
	Receive(buf []byte) (descriptors int, err error)
}

// A Listener waits for the other end.
type Listener interface {
	Accept() (End, error)
	Close() error
}

// A Contender is a way to connect two ends.
type Contender struct {
	Name  string // for a column or a row
	About string // one line: what carries the bytes, and what the descriptors

	// Pair connects two ends within this process, in the cheapest way that there is.
	Pair func() (a, b End, err error)

	// Listen makes an address, in directory dir if it needs a file. Dial takes that address, in
	// another process, too.
	Listen func(dir string) (l Listener, address string, err error)
	// Dial connects to an address that Listen has made.
	Dial func(address string) (End, error)
}

// Find returns the contender called name.
func Find(name string) (Contender, error) {
	for _, c := range Contenders() {
		if c.Name == name {
			return c, nil
		}
	}
	return Contender{}, fmt.Errorf("no contender is called %q", name)
}

// Names of contenders that others are compared with.
const (
	Net    = "net"
	Kernel = "kernel"
	Pipe   = "pipe"
	Winio  = "go-winio"
	Bare   = "bare"
)
