package activated

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// PlaceOf returns where a socket is bound; nowhere, if that is nothing that is chosen by.
func PlaceOf(addr net.Addr) Place {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return ipPlace(addr.AddrPort())
	case *net.UDPAddr:
		return ipPlace(addr.AddrPort())
	case *net.UnixAddr:
		return Place{Path: plain(addr.Name)}
	}
	return Place{}
}

func ipPlace(at netip.AddrPort) Place {
	return Place{IP: netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
}

// PlacesOf returns the places where a socket would be bound that is asked for by network and
// address. If the places cannot be found out there are none: the call that binds the socket gets
// the error.
func PlacesOf(ctx context.Context, network, address string) []Place {
	if strings.HasPrefix(network, "unix") {
		return []Place{{Path: plain(address)}}
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return nil
	}
	hosts := []netip.Addr{{}}
	if host != "" {
		if hosts, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil
		}
	}
	var places []Place
	for _, h := range hosts {
		places = append(places, ipPlace(netip.AddrPortFrom(h, uint16(port))))
	}
	return places
}

// plain makes paths comparable: /var/run may be a link to /run.
func plain(path string) string {
	if path == "" || path[0] == '@' {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}
