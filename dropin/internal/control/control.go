// Package control has the layout of ancillary data: cmsg(3) as Linux has it, on every system. A
// header's length counts the header and is as wide as a pointer; what follows a message is aligned
// to that.
package control

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// Values of Linux (bits/socket.h), which are those of ancillary data on Windows, too.
const (
	SolSocket      = 1
	ScmRights      = 1
	ScmCredentials = 2
)

const (
	word = int(unsafe.Sizeof(uintptr(0)))

	// HeaderLen is the length of a struct cmsghdr: size_t cmsg_len, int cmsg_level, int cmsg_type.
	HeaderLen = word + 8

	fdLen = 4 // a descriptor is an int

	// CredentialsLen is the length of a struct ucred: pid, uid and gid.
	CredentialsLen = 12
)

// Len returns the length of a message with n bytes of data: CMSG_LEN.
func Len(n int) int { return HeaderLen + n }

// Space returns the bytes that such a message takes in a buffer: CMSG_SPACE.
func Space(n int) int { return HeaderLen + align(n) }

func align(n int) int { return (n + word - 1) &^ (word - 1) }

// A Header is a struct cmsghdr.
type Header struct {
	Len         int
	Level, Type int32
}

// Next splits the first message off b: what is left behind it is aligned. With ok false b is too
// short to have one. A length below that of a header, or beyond the end of b, is EINVAL, and the
// kernel sends nothing (row 11).
func Next(b []byte) (h Header, data, rest []byte, ok bool, err error) {
	if len(b) < HeaderLen {
		return h, nil, nil, false, nil
	}
	length := uint64(binary.NativeEndian.Uint32(b))
	if word == 8 {
		length = binary.NativeEndian.Uint64(b)
	}
	if length < uint64(HeaderLen) || length > uint64(len(b)) {
		return h, nil, nil, false, syscall.EINVAL
	}
	h = Header{
		Len:   int(length),
		Level: int32(binary.NativeEndian.Uint32(b[word:])),
		Type:  int32(binary.NativeEndian.Uint32(b[word+4:])),
	}
	return h, b[HeaderLen:h.Len], b[min(align(h.Len), len(b)):], true, nil
}

// put writes a message's header, if b has room for one and for n bytes of data, and returns where
// the data goes.
func put(b []byte, typ int32, n int) []byte {
	if word == 8 {
		binary.NativeEndian.PutUint64(b, uint64(Len(n)))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(Len(n)))
	}
	binary.NativeEndian.PutUint32(b[word:], SolSocket)
	binary.NativeEndian.PutUint32(b[word+4:], uint32(typ))
	return b[HeaderLen:Len(n)]
}

// Rights returns the message that sends fds: UnixRights.
func Rights(fds ...int) []byte {
	b := make([]byte, Space(fdLen*len(fds)))
	PutRights(b, fds)
	return b
}

// PutRights writes such a message into b, which has at least its length, and returns how many bytes
// of b it takes: fewer than its space if there are no more.
func PutRights(b []byte, fds []int) int {
	data := put(b, ScmRights, fdLen*len(fds))
	for i, fd := range fds {
		binary.NativeEndian.PutUint32(data[fdLen*i:], uint32(int32(fd)))
	}
	return min(Space(len(data)), len(b))
}

// RightsRoom returns how many descriptors a buffer of n bytes has room for: it may end right behind
// the last.
func RightsRoom(n int) int { return max(0, n-HeaderLen) / fdLen }

// FDs returns the descriptors in the data of a message of type SCM_RIGHTS.
func FDs(data []byte) []int {
	fds := make([]int, len(data)/fdLen)
	for i := range fds {
		fds[i] = int(int32(binary.NativeEndian.Uint32(data[fdLen*i:])))
	}
	return fds
}

// A Ucred is a struct ucred.
type Ucred struct {
	Pid      int32
	Uid, Gid uint32
}

// Credentials returns the message that sends u: UnixCredentials.
func Credentials(u Ucred) []byte {
	b := make([]byte, Space(CredentialsLen))
	PutCredentials(b, u)
	return b
}

// PutCredentials writes as much of such a message into b as there is room for (put_cmsg of Linux),
// and returns how many bytes of b it takes and whether that was all of it.
func PutCredentials(b []byte, u Ucred) (n int, whole bool) {
	if len(b) < HeaderLen {
		return 0, false
	}
	var data [CredentialsLen]byte
	binary.NativeEndian.PutUint32(data[0:], uint32(u.Pid))
	binary.NativeEndian.PutUint32(data[4:], u.Uid)
	binary.NativeEndian.PutUint32(data[8:], u.Gid)
	room := min(len(data), len(b)-HeaderLen)
	copy(put(b, ScmCredentials, room), data[:])
	return min(Space(room), len(b)), room == len(data)
}

// ParseCredentials reads the data of a message of type SCM_CREDENTIALS. Data of another length is
// EINVAL.
func ParseCredentials(data []byte) (Ucred, error) {
	if len(data) != CredentialsLen {
		return Ucred{}, syscall.EINVAL
	}
	return Ucred{
		Pid: int32(binary.NativeEndian.Uint32(data)),
		Uid: binary.NativeEndian.Uint32(data[4:]),
		Gid: binary.NativeEndian.Uint32(data[8:]),
	}, nil
}
