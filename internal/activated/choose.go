// Package activated knows which of the sockets that a service manager has passed to a process is
// meant by a name, a network and an address.
package activated

import (
	"net/netip"
	"slices"
	"strings"
)

// Unnamed is the name of a socket to which the service manager has given none
// (sd_listen_fds_with_names(3)).
const Unnamed = "unknown"

// A Candidate is what is known of a socket that may be chosen.
type Candidate struct {
	Name    string
	Network string // without a version of IP; "" is a socket of another kind, or no socket at all
	Place   Place
	Used    bool // somebody has it, and it cannot be chosen
}

// A Place is where a socket is bound: an address and a port, or a path or abstract name.
type Place struct {
	IP   netip.AddrPort
	Path string
}

// A Request is what a socket is chosen by.
type Request struct {
	Name    string
	Network string  // with a version of IP, if that matters
	Places  []Place // a host may have several; an invalid IP address stands for all
}

// Choose returns the index of the candidate that is meant, or -1. The candidate is of the network
// in any case. The name counts before the place, because a person who has given the name knows what
// the socket is for. If several sockets have the name, the place decides. A socket with another
// name, or with none, is meant if it is at the place, where nobody could bind another socket.
func Choose(r Request, among []Candidate) int {
	for _, fits := range []func(Candidate) bool{
		func(c Candidate) bool { return r.names(c) && r.isExactlyAt(c) },
		func(c Candidate) bool { return r.names(c) && r.isAt(c) },
		func(c Candidate) bool { return r.names(c) && r.nameDoes(among) },
		r.isExactlyAt,
		r.isAt,
	} {
		i := slices.IndexFunc(among, func(c Candidate) bool { return !c.Used && r.isOf(c) && fits(c) })
		if i >= 0 {
			return i
		}
	}
	return -1
}

func (r Request) isOf(c Candidate) bool {
	return c.Network != "" && c.Network == strings.TrimRight(r.Network, "46")
}

func (r Request) names(c Candidate) bool {
	return c.Name == r.Name || r.Name == "" && c.Name == Unnamed
}

// nameDoes reports whether the name is enough: all sockets of the network that have it, used or
// not, are at one place.
func (r Request) nameDoes(among []Candidate) bool {
	var places []Place
	for _, c := range among {
		if r.isOf(c) && r.names(c) && !slices.Contains(places, c.Place) {
			places = append(places, c.Place)
		}
	}
	return len(places) == 1
}

// isExactlyAt reports whether c is at one of the places, to the letter.
func (r Request) isExactlyAt(c Candidate) bool {
	if c.Place.Path != "" {
		return slices.Contains(r.Places, c.Place)
	}
	return c.Place.IP.Port() != 0 && r.hasVersion(c) && slices.Contains(r.Places, c.Place)
}

// isAt also takes any unspecified address for any other: a program that asks for all means 0.0.0.0
// and [::], which the service manager binds where a socket unit says nothing but a port.
func (r Request) isAt(c Candidate) bool {
	at := c.Place.IP
	return at.Port() != 0 && at.Addr().IsUnspecified() && r.hasVersion(c) && slices.ContainsFunc(r.Places, func(p Place) bool {
		return p.IP.Port() == at.Port() && (!p.IP.Addr().IsValid() || p.IP.Addr().IsUnspecified())
	})
}

// hasVersion reports whether c has the version of IP that the network asks for, if it does.
func (r Request) hasVersion(c Candidate) bool {
	switch addr := c.Place.IP.Addr(); r.Network[len(r.Network)-1] {
	case '4':
		return addr.Is4()
	case '6':
		return addr.Is6()
	}
	return true
}
