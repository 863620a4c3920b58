//go:build unix

package activation

import (
	"net"
	"os"

	"afunix/internal/activated"
	"afunix/internal/descriptor"

	"golang.org/x/sys/unix"
)

// describe returns what a descriptor is, as far as a socket is chosen by that. It changes nothing:
// a descriptor that nobody asks for may go to a child that expects it as it came.
func describe(f *os.File) (c activated.Candidate, k descriptor.Kind) {
	c.Name = f.Name()
	raw, err := f.SyscallConn()
	if err != nil {
		return c, k
	}
	_ = raw.Control(func(fd uintptr) { // fails only on a closed file
		if k, err = descriptor.System.Kind(fd); err == nil {
			c.Network, c.Place = socketOf(int(fd), k)
		}
	})
	return c, k
}

// socketOf returns the network of a socket from which somebody can be served, and where it is
// bound; "" for another descriptor.
func socketOf(fd int, k descriptor.Kind) (network string, at activated.Place) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return "", at
	}
	addr := addrOf(local, k)
	if addr == nil {
		return "", at
	}
	network = addr.Network()
	if network == "unix" {
		network = unixNetwork(fd, k)
	}
	return network, activated.PlaceOf(addr)
}

// unixNetwork returns the network of a socket of AF_UNIX.
func unixNetwork(fd int, k descriptor.Kind) string {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case err != nil:
	case k == descriptor.UnixListener && typ == unix.SOCK_STREAM:
		return "unix"
	case k == descriptor.UnixListener && typ == unix.SOCK_SEQPACKET:
		return "unixpacket"
	case k == descriptor.Unix && typ == unix.SOCK_DGRAM:
		return "unixgram"
	}
	return ""
}

// addrOf returns the address of a socket from which somebody can be served; nil for others.
func addrOf(local unix.Sockaddr, k descriptor.Kind) net.Addr {
	switch sa := local.(type) {
	case *unix.SockaddrInet4:
		return ipAddr(net.IP(sa.Addr[:]), sa.Port, "", k)
	case *unix.SockaddrInet6:
		zone := ""
		if i, err := net.InterfaceByIndex(int(sa.ZoneId)); sa.ZoneId != 0 && err == nil {
			zone = i.Name
		}
		return ipAddr(net.IP(sa.Addr[:]), sa.Port, zone, k)
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

func ipAddr(ip net.IP, port int, zone string, k descriptor.Kind) net.Addr {
	switch k {
	case descriptor.Listener:
		return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
	case descriptor.Datagram:
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	}
	return nil
}
