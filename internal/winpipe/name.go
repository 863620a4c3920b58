package winpipe

import (
	"crypto/sha256"
	"strings"
	"syscall"

	"afunix/internal/longpath"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// checkName refuses what cannot be bound or connected to: EINVAL. The path of a stream may be as
// long as that of any file. An abstract name, and the path of a datagram socket, which a datagram
// has with it, are as long as on Linux.
func checkName(name string, t sock.Type) error {
	switch {
	case name == "" || !t.Valid():
		return syscall.EINVAL
	case t == sock.Datagram || pipe.IsAbstract(name):
		return longpath.Check(name)
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

// publicID derives a private pipe's name from the public name beside it, which other programs dial:
// see docs/PROTOCOL.md. The system knows no upper and lower case in names of pipes. Anybody can
// compute the private name, and so may have it before; the owner of the pipe tells (verifyOwner).
func publicID(public string, t sock.Type) (id pipeID) {
	hash := sha256.New()
	hash.Write([]byte("afunix public name\x00" + typeNames[t] + "\x00" + strings.ToUpper(public)))
	copy(id[:], hash.Sum(nil))
	return id
}
