package sockfile

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What x/sys has no name for (include/uapi/linux/unix_diag.h).
const (
	udiagShowVFS = 1 << 1
	unixDiagVFS  = 1
)

// siocUnixFile is SIOCUNIXFILE (include/uapi/linux/un.h), for which x/sys has no name.
const siocUnixFile = unix.SIOCPROTOPRIVATE

// forDirectory opens a directory that need not be readable.
const forDirectory = unix.O_PATH

// Sizes of the parts of a request, and of an answer.
const (
	sizeofRequest = 24 // struct unix_diag_req
	sizeofMessage = 16 // struct unix_diag_msg
	sizeofVFS     = 8  // struct unix_diag_vfs
)

// bound returns the file that the socket fd is bound to, whatever its path says: the kernel's word.
// To a process that may administer the network the kernel gives the file itself, and to every other
// process the file's numbers. If the kernel does neither, the file stays.
func bound(fd uintptr, _ string) (id, bool) {
	if which, ok := opened(fd); ok {
		return which, true
	}
	return diagnosed(fd)
}

// opened asks with SIOCUNIXFILE, which takes CAP_NET_ADMIN and needs no module: the descriptor
// (O_PATH) that comes leads to the file.
func opened(fd uintptr) (id, bool) {
	file, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, siocUnixFile, 0)
	if errno != 0 {
		return id{}, false
	}
	defer unix.Close(int(file))
	var st unix.Stat_t
	if err := unix.Fstat(int(file), &st); err != nil {
		return id{}, false
	}
	return id{uint64(st.Dev), uint64(st.Ino)}, true
}

// diagnosed asks with sock_diag(7). There is no answer where the kernel lacks that (unix_diag is a
// module, and a container cannot load it), or a sandbox forbids it, or if the socket is of another
// network namespace; nor is there one that can be compared on a file system whose stat(2) shows
// another device than that of its superblock (Btrfs).
func diagnosed(fd uintptr) (id, bool) {
	request, err := question(int(fd))
	if err != nil {
		return id{}, false
	}
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return id{}, false
	}
	defer unix.Close(s)
	if err := unix.Sendto(s, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return id{}, false
	}
	var answer [512]byte
	n, _, err := unix.Recvfrom(s, answer[:], unix.MSG_DONTWAIT) // the kernel has answered within sendto
	if err != nil {
		return id{}, false
	}
	return parse(answer[:n])
}

// question asks for the file of the socket fd.
func question(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return nil, err
	}
	order := binary.NativeEndian
	q := make([]byte, 0, unix.SizeofNlMsghdr+sizeofRequest)
	q = order.AppendUint32(q, uint32(cap(q)))
	q = order.AppendUint16(q, unix.SOCK_DIAG_BY_FAMILY)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...) // sequence number, port
	q = append(q, unix.AF_UNIX, 0, 0, 0)
	q = order.AppendUint32(q, ^uint32(0)) // in any state
	q = order.AppendUint32(q, uint32(st.Ino))
	q = order.AppendUint32(q, udiagShowVFS)
	q = order.AppendUint32(q, uint32(cookie))
	return order.AppendUint32(q, uint32(cookie>>32)), nil
}

// parse finds the file in an answer.
func parse(b []byte) (id, bool) {
	order := binary.NativeEndian
	if len(b) < unix.SizeofNlMsghdr+sizeofMessage || order.Uint16(b[4:]) != unix.SOCK_DIAG_BY_FAMILY {
		return id{}, false
	}
	for b = b[unix.SizeofNlMsghdr+sizeofMessage:]; len(b) >= unix.SizeofNlAttr; {
		n, typ := int(order.Uint16(b)), order.Uint16(b[2:])
		if n < unix.SizeofNlAttr || n > len(b) {
			return id{}, false
		}
		if value := b[unix.SizeofNlAttr:n]; typ == unixDiagVFS && len(value) >= sizeofVFS {
			inode, device := order.Uint32(value), order.Uint32(value[4:])
			// device is the kernel's dev_t: include/linux/kdev_t.h.
			return id{unix.Mkdev(device>>20, device&(1<<20-1)), uint64(inode)}, true
		}
		b = b[min(len(b), (n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return id{}, false
}
