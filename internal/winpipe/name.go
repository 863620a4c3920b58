package winpipe

import (
	"crypto/sha256"
	"syscall"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// checkName refuses what cannot be bound or connected to: EINVAL.
func checkName(name string, t sock.Type) error {
	if !pipe.ValidName(name) || !t.Valid() {
		return syscall.EINVAL
	}
	return nil
}

// abstractID derives a pipe's name from an abstract one. As on Linux, each socket type has names of
// its own; unlike there, each user has, too, because nothing but the user's own rights protects a
// name that anybody can compute.
func abstractID(sid, name string, t sock.Type) (id pipeID) {
	hash := sha256.New()
	hash.Write([]byte("afunix abstract name\x00" + sid + "\x00" + typeNames[t] + "\x00" + name))
	copy(id[:], hash.Sum(nil))
	return id
}
