package plain

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// listenerOf returns the process that has the other end of a connection within this machine: the
// one that listens, as long as the other end has not been accepted. Like Windows' own AF_UNIX, the
// system names a number, and does not keep the process from being replaced by another one of the
// same number in between.
func listenerOf(c *net.TCPConn) (cred.Credentials, error) {
	pid, err := ownerOf(c)
	if err != nil {
		return cred.Credentials{}, err
	}
	return cred.Of(pid)
}

// A row is a MIB_TCPROW_OWNER_PID: addresses are in the order of the network.
type row struct {
	state                             uint32
	localAddr, localPort              uint32
	remoteAddr, remotePort, owningPID uint32
}

// connections is TCP_TABLE_OWNER_PID_CONNECTIONS (iprtrmib.h).
const connections = 4

// ownerOf looks for the other end in the table of all connections: ESRCH if it is not there.
func ownerOf(c *net.TCPConn) (uint32, error) {
	here, there := c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
	rows, err := table()
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if r.local() == there && r.remote() == here {
			return r.owningPID, nil
		}
	}
	return 0, syscall.ESRCH
}

func (r row) local() netip.AddrPort  { return address(r.localAddr, r.localPort) }
func (r row) remote() netip.AddrPort { return address(r.remoteAddr, r.remotePort) }

func address(addr, port uint32) netip.AddrPort {
	var ip [4]byte
	binary.LittleEndian.PutUint32(ip[:], addr)
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(port>>8&0xff|port<<8))
}

// table returns all connections of this machine. It grows while it is looked at.
func table() ([]row, error) {
	for size := uint32(1 << 14); ; {
		b := make([]uint32, size/4+1)
		switch err := getExtendedTcpTable((*byte)(unsafe.Pointer(&b[0])), &size, false, windows.AF_INET, connections, 0); err {
		case nil:
			const words = unsafe.Sizeof(row{}) / unsafe.Sizeof(b[0])
			n := min(uintptr(b[0]), uintptr(len(b)-1)/words)
			return unsafe.Slice((*row)(unsafe.Pointer(&b[1])), n), nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			size += size / 4
		default:
			return nil, err
		}
	}
}
