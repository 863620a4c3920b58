package winpipe

import (
	"crypto/sha256"
	"errors"
	"syscall"
)

// ErrNativeSocket: the path is a socket of Windows' own AF_UNIX, to which the system's own connect leads.
var ErrNativeSocket = errors.New("a socket of the system's own AF_UNIX")

// What Linux allows in sun_path: a path has a NUL behind it, an abstract name one in front, for which "@" stands.
const (
	maxPath     = 107
	maxAbstract = 108
)

// isAbstract reports whether address is an abstract name.
func isAbstract(address string) bool { return address != "" && address[0] == '@' }

// checkName refuses what cannot be bound or connected to: EINVAL.
func checkName(address string, socketType uint8) error {
	limit := maxPath
	if isAbstract(address) {
		limit = maxAbstract
	}
	if address == "" || len(address) > limit {
		return syscall.EINVAL
	}
	if _, ok := typeNames[socketType]; !ok {
		return syscall.EINVAL
	}
	return nil
}

// abstractID derives a pipe's name from an abstract one. As on Linux, each socket type has names of its own; unlike there, each
// user has, too, because nothing but the user's own rights protects a name that anybody can compute.
func abstractID(sid, address string, socketType uint8) (id pipeID) {
	hash := sha256.New()
	hash.Write([]byte("afunix abstract name\x00" + sid + "\x00" + typeNames[socketType] + "\x00" + address))
	copy(id[:], hash.Sum(nil))
	return id
}
