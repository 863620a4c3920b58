package linuxpipe

import (
	"crypto/sha256"
	"encoding/hex"
	"syscall"

	"golang.org/x/sys/unix"
)

// The numbers of socket types, which are Linux's.
var typeNames = map[uint8]string{
	unix.SOCK_STREAM:    "unix",
	unix.SOCK_DGRAM:     "unixgram",
	unix.SOCK_SEQPACKET: "unixpacket",
}

// What package net takes: a path has at most 107 bytes, an abstract name 108 with its '@' (row 190).
const (
	maxPath     = 107
	maxAbstract = 108
)

// sockaddr refuses what package net refuses.
func sockaddr(path string, socketType uint8) (*unix.SockaddrUnix, error) {
	abstract := len(path) > 0 && path[0] == '@'
	limit := maxPath
	if abstract {
		limit = maxAbstract
	}
	if len(path) == 0 || len(path) > limit {
		return nil, unix.EINVAL
	}
	if abstract {
		path = abstractName(path, socketType)
	}
	return &unix.SockaddrUnix{Name: path}, nil
}

// abstractName is what an abstract name is called in the kernel. There each type of socket has names of its own; but all of
// our pipes are of one type.
func abstractName(name string, socketType uint8) string {
	long := name + "/" + typeNames[socketType]
	if len(long) <= maxAbstract {
		return long
	}
	hash := sha256.Sum256([]byte(long))
	return "@" + hex.EncodeToString(hash[:])
}

// A Place is what a name leads to: equal to another one as long as that is the same socket.
type Place struct{ Device, Inode, Changed uint64 }

// Find returns what path leads to. An abstract name has no place: it cannot come to lead to another socket while one has it.
func Find(path string, socketType uint8) (Place, error) {
	if _, err := sockaddr(path, socketType); err != nil || path[0] == '@' {
		return Place{}, err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return Place{}, err
	}
	return Place{uint64(st.Dev), st.Ino, uint64(st.Ctim.Nano())}, nil
}
