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

// serverOf returns the process that has the other end of a connection within this machine: the one
// that listens, as long as nobody has accepted. As for Windows' own AF_UNIX, the system names a
// number, and does not keep the process from being replaced by another one of the same number in
// between.
func serverOf(c *net.TCPConn) (cred.Credentials, error) {
	rows, err := table()
	if err != nil {
		return cred.Credentials{}, err
	}
	here, there := c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
	pid, err := owner(rows, here, there)
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

const (
	everything = 5 // TCP_TABLE_OWNER_PID_ALL (iprtrmib.h)
	listens    = 2 // MIB_TCP_STATE_LISTEN
)

// owner finds the end there of the connection from here. If the system names nobody for it, it was
// not accepted yet, and whoever listens at its address will accept it. ESRCH: nobody does, or two
// of whom it cannot be told which.
func owner(rows []row, here, there netip.AddrPort) (pid uint32, err error) {
	for _, r := range rows {
		if r.local() == there && r.remote() == here && r.owningPID != 0 {
			return r.owningPID, nil
		}
	}
	for _, r := range rows {
		if r.state != listens || r.local() != there || r.owningPID == pid {
			continue
		}
		if pid != 0 {
			return 0, syscall.ESRCH
		}
		pid = r.owningPID
	}
	if pid == 0 {
		return 0, syscall.ESRCH
	}
	return pid, nil
}

func (r row) local() netip.AddrPort  { return address(r.localAddr, r.localPort) }
func (r row) remote() netip.AddrPort { return address(r.remoteAddr, r.remotePort) }

func address(addr, port uint32) netip.AddrPort {
	var ip [4]byte
	binary.LittleEndian.PutUint32(ip[:], addr)
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(port>>8&0xff|port<<8))
}

// table returns all sockets of TCP over IPv4. It grows while it is looked at.
func table() ([]row, error) {
	for size := uint32(1 << 14); ; {
		b := make([]uint32, size/4+1)
		switch err := getExtendedTcpTable((*byte)(unsafe.Pointer(&b[0])), &size, false, windows.AF_INET, everything, 0); err {
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
