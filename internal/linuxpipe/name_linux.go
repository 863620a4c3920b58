package linuxpipe

import (
	"crypto/sha256"
	"encoding/hex"
	"syscall"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// sockaddr returns the address of a name that an address has room for.
func sockaddr(name string, t sock.Type) (*unix.SockaddrUnix, error) {
	if name == "" {
		return nil, unix.EINVAL
	}
	if err := longpath.Check(name); err != nil {
		return nil, err
	}
	if pipe.IsAbstract(name) {
		name = abstractName(name, t)
	}
	return &unix.SockaddrUnix{Name: name}, nil
}

// A reach finds a way to a name, until release is called: see package longpath.
type reach func(name string) (short string, release func(), err error)

// by calls f with the address of name. A datagram has its sender's name with it, which has to have
// room there.
func (r reach) by(name string, t sock.Type, f func(*unix.SockaddrUnix) error) error {
	if t == sock.Datagram || pipe.IsAbstract(name) {
		r = func(name string) (string, func(), error) { return name, func() {}, nil }
	}
	short, release, err := r(name)
	if err != nil {
		return err
	}
	defer release()
	sa, err := sockaddr(short, t)
	if err != nil {
		return err
	}
	return f(sa)
}

// abstractName is what an abstract name is called in the kernel. There each type of socket has
// names of its own; but all of our pipes are of one type.
func abstractName(name string, t sock.Type) string {
	long := name + "/" + t.Network()
	if len(long) <= pipe.MaxName {
		return long
	}
	hash := sha256.Sum256([]byte(long))
	return "@" + hex.EncodeToString(hash[:])
}

// Find returns which inode name leads to. An abstract name has no place: it cannot come to lead to
// another socket while one has it.
func (System) Find(name string, t sock.Type) (pipe.Place, error) {
	if _, err := sockaddr(name, t); err != nil || pipe.IsAbstract(name) {
		return pipe.Place{}, err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return pipe.Place{}, err
	}
	return pipe.Place{uint64(st.Dev), st.Ino, uint64(st.Ctim.Nano())}, nil
}
