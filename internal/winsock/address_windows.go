package winsock

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// network is the name that package net has for sockets of this family and type.
func network(family, sotype int32) string {
	stream := sotype == windows.SOCK_STREAM
	switch {
	case family == windows.AF_UNIX && stream:
		return "unix"
	case family == windows.AF_UNIX:
		return "unixgram"
	case family != windows.AF_INET && family != windows.AF_INET6:
		return otherAddr(family).Network()
	case stream:
		return "tcp"
	}
	return "udp"
}

// otherAddr stands for the addresses of a family that package net does not know.
type otherAddr int32

func (a otherAddr) Network() string { return fmt.Sprintf("family%d", int32(a)) }
func (a otherAddr) String() string  { return "unknown" }

// address makes a net.Addr of what Getsockname or Getpeername returned: nil if that was an error,
// as in package net. A socket that is not bound, or whose peer is gone already, can be received
// nevertheless.
func (s *socket) address(sa windows.Sockaddr, err error) net.Addr {
	if err == syscall.EAFNOSUPPORT { // the answer was good, but x/sys does not know the family
		return otherAddr(s.info.AddressFamily)
	}
	if err != nil {
		return nil
	}
	stream := s.info.SocketType == windows.SOCK_STREAM
	switch sa := sa.(type) {
	case *windows.SockaddrInet4:
		return ipAddr(stream, sa.Addr[:], sa.Port, "")
	case *windows.SockaddrInet6:
		return ipAddr(stream, sa.Addr[:], sa.Port, zoneName(sa.ZoneId))
	case *windows.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: s.net}
	}
	return otherAddr(s.info.AddressFamily)
}

func ipAddr(stream bool, ip net.IP, port int, zone string) net.Addr {
	if stream {
		return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
	}
	return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
}

// zoneName is the name of the interface with that index or, if it has none, the index in figures.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

// zoneIndex is the reverse; 0 for a zone that does not exist, as in package net.
func zoneIndex(name string) uint32 {
	if name == "" {
		return 0
	}
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// setName makes addr, of the given family, the destination of o.
func (o *operation) setName(family int32, addr *net.UDPAddr) error {
	switch family {
	case windows.AF_INET:
		return o.setName4(addr)
	case windows.AF_INET6:
		return o.setName6(addr)
	}
	return &net.AddrError{Err: "invalid address family", Addr: addr.IP.String()}
}

// setName4 takes an empty address for 0.0.0.0, as package net does.
func (o *operation) setName4(addr *net.UDPAddr) error {
	ip := addr.IP
	if len(ip) == 0 {
		ip = net.IPv4zero
	}
	if ip = ip.To4(); ip == nil {
		return &net.AddrError{Err: "non-IPv4 address", Addr: addr.IP.String()}
	}
	sa := (*windows.RawSockaddrInet4)(unsafe.Pointer(&o.name))
	*sa = windows.RawSockaddrInet4{Family: windows.AF_INET, Port: networkOrder(addr.Port), Addr: [4]byte(ip)}
	o.nameLen = int32(unsafe.Sizeof(*sa))
	return nil
}

// setName6 takes an empty address and 0.0.0.0 for ::, and maps other IPv4 addresses, as package net
// does.
func (o *operation) setName6(addr *net.UDPAddr) error {
	ip := addr.IP
	if len(ip) == 0 || ip.Equal(net.IPv4zero) {
		ip = net.IPv6zero
	}
	if ip = ip.To16(); ip == nil {
		return &net.AddrError{Err: "non-IPv6 address", Addr: addr.IP.String()}
	}
	sa := (*windows.RawSockaddrInet6)(unsafe.Pointer(&o.name))
	*sa = windows.RawSockaddrInet6{
		Family:   windows.AF_INET6,
		Port:     networkOrder(addr.Port),
		Addr:     [16]byte(ip),
		Scope_id: zoneIndex(addr.Zone),
	}
	o.nameLen = int32(unsafe.Sizeof(*sa))
	return nil
}

// source makes a net.Addr of the address from which o received a datagram, in one allocation; nil
// if it has none that package net knows.
func (o *operation) source(zone *zone) net.Addr {
	a := new(struct {
		net.UDPAddr
		ip [net.IPv6len]byte
	})
	switch o.name.Addr.Family {
	case windows.AF_INET:
		sa := (*windows.RawSockaddrInet4)(unsafe.Pointer(&o.name))
		a.IP = append(a.ip[:0], sa.Addr[:]...)
		a.Port = networkPort(sa.Port)
	case windows.AF_INET6:
		sa := (*windows.RawSockaddrInet6)(unsafe.Pointer(&o.name))
		a.IP = append(a.ip[:0], sa.Addr[:]...)
		a.Port = networkPort(sa.Port)
		a.Zone = zone.of(sa.Scope_id)
	default:
		return nil
	}
	return &a.UDPAddr
}

// A zone remembers the last one, since finding an interface's name takes several system calls.
type zone struct {
	index uint32
	name  string
}

func (z *zone) of(index uint32) string {
	if z.index != index {
		z.index, z.name = index, zoneName(index)
	}
	return z.name
}

// networkOrder is port as it is stored in a socket address: the high byte first in memory.
func networkOrder(port int) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(port >> 8), byte(port)})
}

// networkPort is the reverse of networkOrder.
func networkPort(stored uint16) int {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], stored)
	return int(binary.BigEndian.Uint16(b[:]))
}
