//go:build unix

package descriptor

import (
	"golang.org/x/sys/unix"
)

// Kind asks stat, and for sockets their options. Everything that has no file type (the anonymous
// inodes of Linux) and what only looks like a regular file is left to [specialKind].
func (system) Kind(v uintptr) (Kind, error) {
	var st unix.Stat_t
	if err := retry(func() error { return stat(int(v), &st) }); err != nil {
		return Other, err
	}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG, 0:
		return specialKind(int(v), &st), nil
	case unix.S_IFDIR:
		return Directory, nil
	case unix.S_IFIFO:
		return Pipe, nil
	case unix.S_IFSOCK:
		return socketKind(int(v)), nil
	case unix.S_IFCHR:
		return characterKind(int(v)), nil
	}
	return Other, nil
}

// Kinds asks about one after the other.
func (s system) Kinds(asked []Asked) (int, error) { return EachKind(s, asked) }

// socketKind is Other for sockets that are neither AF_UNIX nor stream nor datagram: raw and SCTP's
// one-to-many sockets, …
func socketKind(fd int) Kind {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return Other
	}
	isUnix, listening := isUnixSocket(fd), listens(fd, typ)
	switch {
	case isUnix && listening:
		return UnixListener
	case isUnix:
		return Unix
	case typ == unix.SOCK_STREAM && listening:
		return Listener
	case typ == unix.SOCK_STREAM:
		return Stream
	case typ == unix.SOCK_DGRAM:
		return Datagram
	}
	return Other
}

// characterKind tells terminals from other devices as isatty(3) does.
func characterKind(fd int) Kind {
	if _, err := unix.IoctlGetTermios(fd, ioctlGetTermios); err != nil {
		return Other
	}
	return Terminal
}

// Dup does not need to know the kind.
func (system) Dup(v uintptr, _ Kind) (uintptr, error) {
	fd, err := dupCloexec(v)
	if err != nil {
		return 0, err
	}
	return uintptr(fd), nil
}

// Close does not need to know the kind. It is not repeated after EINTR: the descriptor is gone all
// the same (close(2)).
func (system) Close(v uintptr, _ Kind) error {
	if err := unix.Close(int(v)); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// Sendable reports whether descriptors of kind k can be passed to another process: on Unix all can,
// as far as this process can tell (the kernel refuses a few with EINVAL, io_uring's for one).
func Sendable(_ uintptr, _ Kind) error { return nil }

// retry repeats f as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// Matches reports whether v is of kind k. Nothing that Kind asks ever waits.
func (t system) Matches(v uintptr, k Kind) (bool, error) {
	got, err := t.Kind(v)
	return err == nil && got == k, err
}

// lingers reports whether closing a descriptor of kind k may wait for somebody: for a file system,
// what is unsent, or a line.
func lingers(k Kind) bool {
	switch k {
	case File, Directory, Stream, Terminal, Other:
		return true
	}
	return false
}
