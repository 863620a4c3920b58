package relay

import (
	"context"
	"net"
	"os"
	"strings"
	"time"

	"afunix"
)

// dialTimeout bounds how long a client waits for its target.
const dialTimeout = 30 * time.Second

// Networks that are none of package net.
const (
	standard = "-" // standard input and output
	dgram    = "unixgram"
)

// An Address is one side of a relay.
type Address struct {
	Network   string // unix, unixpacket, unixgram, tcp, or - for standard input and output
	Name      string
	Transport afunix.Transport
}

// Parse returns the address that a user has typed: "-", tcp:HOST:PORT, unixpacket:NAME,
// unixgram:NAME, or what afunix.ParseAddress takes.
func Parse(text string) (Address, error) {
	if text == standard {
		return Address{Network: standard}, nil
	}
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "tcp":
		return parseTCP(text, rest)
	case "unixpacket", dgram:
		name, err := afunix.ParseAddress(rest)
		return Address{Network: scheme, Name: name}, err
	}
	name, err := afunix.ParseAddress(text)
	return Address{Network: "unix", Name: name}, err
}

// parseTCP takes loopback addresses alone. A relay to the network would have to ask who is there.
func parseTCP(text, rest string) (Address, error) {
	host, port, err := net.SplitHostPort(rest)
	switch {
	case err != nil || port == "":
		return Address{}, &net.AddrError{Err: "it is not tcp:HOST:PORT", Addr: text}
	case host == "localhost":
	case !net.ParseIP(host).IsLoopback():
		return Address{}, &net.AddrError{Err: "the host must be localhost, 127.0.0.1 or [::1]", Addr: text}
	}
	return Address{Network: "tcp", Name: rest}, nil
}

// String is the address as it may be typed.
func (a Address) String() string {
	switch a.Network {
	case standard:
		return "standard input and output"
	case "unix":
		return a.Name
	}
	return a.Network + ":" + a.Name
}

// at is the address that a socket really has, which was listened for or taken for a: a service
// manager's may be elsewhere, and port 0 is one that the system chooses.
func (a Address) at(addr net.Addr) Address {
	a.Name = addr.String()
	return a
}

// Standard reports whether a is standard input and output.
func (a Address) Standard() bool { return a.Network == standard }

// Unix reports whether a is a socket of AF_UNIX.
func (a Address) Unix() bool { return !a.Standard() && a.Network != "tcp" }

// Datagram reports whether a is of datagrams, which have no connections.
func (a Address) Datagram() bool { return a.Network == dgram }

// Records reports whether what is sent keeps its boundaries.
func (a Address) Records() bool { return a.Network == "unixpacket" || a.Network == dgram }

// A dialer is a Target at an address.
type dialer struct {
	Address
	explain func(err error, addr string) error
}

// Dialer returns the Target at the address. Errors of Dial go through explain.
func (a Address) Dialer(explain func(err error, addr string) error) Target {
	return dialer{a, explain}
}

// Dial connects.
func (d dialer) Dial(ctx context.Context) (End, error) {
	if d.Network == "tcp" {
		c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, d.Network, d.Name)
		if err != nil {
			return nil, err
		}
		return TCP(c.(*net.TCPConn)), nil
	}
	c, err := (&afunix.Dialer{Transport: d.Transport, Timeout: dialTimeout}).DialContext(ctx, d.Network, d.Name)
	if err != nil {
		return nil, d.explain(err, d.Name)
	}
	return Socket(c), nil
}

// Standard is the end whose peer has standard input and output: as a socket, if that is what both
// are.
func Standard() (End, error) {
	if areOne(os.Stdin, os.Stdout) {
		if c, err := afunix.FileConn(os.Stdin); err == nil {
			return Socket(c), nil
		}
		if c, err := net.FileConn(os.Stdin); err == nil {
			if c, ok := c.(*net.TCPConn); ok {
				return TCP(c), nil
			}
			c.Close()
		}
	}
	return Files(os.Stdin, os.Stdout), nil
}

// areOne reports whether both are the same. About what nobody can say anything, such as a file that
// a program of Wine was started with, is no socket.
func areOne(a, b *os.File) bool {
	first, err := a.Stat()
	if err != nil {
		return false
	}
	second, err := b.Stat()
	return err == nil && os.SameFile(first, second)
}

// Only is the Source of one client, and the Target for one.
type Only struct {
	End  func() (End, error)
	Name string
	used bool
}

// Accept returns the one client, and then none.
func (o *Only) Accept() (End, string, error) {
	if o.used {
		return nil, "", net.ErrClosed
	}
	e, err := o.Dial(context.Background())
	return e, o.Name, err
}

// Dial returns the one end. It is called once: see First.
func (o *Only) Dial(context.Context) (End, error) {
	o.used = true
	return o.End()
}

// Close has nothing to end.
func (o *Only) Close() error { return nil }

// String is the name.
func (o *Only) String() string { return o.Name }

// First is the Source of the first client of another one.
type First struct {
	Source
	used bool
}

// Accept waits for the first client, and lets in no other one.
func (f *First) Accept() (End, string, error) {
	if f.used {
		return nil, "", net.ErrClosed
	}
	e, who, err := f.Source.Accept()
	if err == nil {
		f.used = true
		f.Source.Close()
	}
	return e, who, err
}
