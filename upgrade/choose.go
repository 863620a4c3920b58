package upgrade

import (
	"net/netip"
	"slices"
	"strings"
)

// unnamed is the name of a socket to which the service manager has given none
// (sd_listen_fds_with_names(3)).
const unnamed = "unknown"

// A candidate is what is known of a socket that may be chosen.
type candidate struct {
	name    string
	network string // without a version of IP; "" is a socket of another kind, or no socket at all
	place   place
	used    bool // somebody has it, and it cannot be chosen
}

// A place is where a socket is bound: an address and a port, or a path or abstract name.
type place struct {
	ip   netip.AddrPort
	path string
}

// A request is what a socket is chosen by.
type request struct {
	name    string
	network string  // with a version of IP, if that matters
	places  []place // a host may have several; an invalid IP address stands for all
}

// choose returns the index of the candidate that is meant, or -1. The candidate is of the network
// in any case. The name counts before the place, because a person who has given the name knows what
// the socket is for. If several sockets have the name, the place decides. A socket with another
// name, or with none, is meant if it is at the place, where nobody could bind another socket.
func choose(r request, among []candidate) int {
	for _, fits := range []func(candidate) bool{
		func(c candidate) bool { return r.names(c) && r.isExactlyAt(c) },
		func(c candidate) bool { return r.names(c) && r.isAt(c) },
		func(c candidate) bool { return r.names(c) && r.nameDoes(among) },
		r.isExactlyAt,
		r.isAt,
	} {
		i := slices.IndexFunc(among, func(c candidate) bool { return !c.used && r.isOf(c) && fits(c) })
		if i >= 0 {
			return i
		}
	}
	return -1
}

func (r request) isOf(c candidate) bool {
	return c.network != "" && c.network == strings.TrimRight(r.network, "46")
}

func (r request) names(c candidate) bool {
	return c.name == r.name || r.name == "" && c.name == unnamed
}

// nameDoes reports whether the name is enough: all sockets of the network that have it, used or
// not, are at one place.
func (r request) nameDoes(among []candidate) bool {
	var places []place
	for _, c := range among {
		if r.isOf(c) && r.names(c) && !slices.Contains(places, c.place) {
			places = append(places, c.place)
		}
	}
	return len(places) == 1
}

// isExactlyAt reports whether c is at one of the places, to the letter.
func (r request) isExactlyAt(c candidate) bool {
	if c.place.path != "" {
		return slices.Contains(r.places, c.place)
	}
	return c.place.ip.Port() != 0 && r.hasVersion(c) && slices.Contains(r.places, c.place)
}

// isAt also takes any unspecified address for any other: a program that asks for all means 0.0.0.0
// and [::], which the service manager binds where a socket unit says nothing but a port.
func (r request) isAt(c candidate) bool {
	at := c.place.ip
	return at.Port() != 0 && at.Addr().IsUnspecified() && r.hasVersion(c) && slices.ContainsFunc(r.places, func(p place) bool {
		return p.ip.Port() == at.Port() && (!p.ip.Addr().IsValid() || p.ip.Addr().IsUnspecified())
	})
}

// hasVersion reports whether c has the version of IP that the network asks for, if it does.
func (r request) hasVersion(c candidate) bool {
	switch addr := c.place.ip.Addr(); r.network[len(r.network)-1] {
	case '4':
		return addr.Is4()
	case '6':
		return addr.Is6()
	}
	return true
}
