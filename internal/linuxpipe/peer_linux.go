package linuxpipe

import (
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"afunix/internal/cred"
	"afunix/internal/locks"
	"afunix/internal/pipe"
)

// aLongTimeAgo is a deadline that has passed.
var aLongTimeAgo = time.Unix(1, 0)

// peer is the process at the other end. The kernel names it with the packet that says hello: a
// pidfd and credentials that belong to the process that sent this very packet.
type peer struct {
	// Only the goroutine that reads uses these.
	named bool // by a hello: the kernel is not asked with each packet
	late  bool // … but for the pidfd, for which there was no room; it comes with a later packet
	moved bool // … but for the credentials, since a former owner of the end may have a duplicate of it
	ucred *unix.Ucred
	pid   int32 // of who said hello

	mu       locks.Mutex[locks.PipePeer] // holds off Close while a descriptor is being pulled
	pidfd    int                         // or a negative errno that says why there is none
	presumed bool                        // that descriptors can be pulled: no room for a pidfd to try it
	closed   bool
}

// noPIDFD: the kernel has attached none, and so nothing can be done to the peer.
const noPIDFD = -int(unix.EPERM)

// noRoom reports whether err says that this process, or the system, is out of descriptors.
func noRoom(err error) bool { return err == unix.EMFILE || err == unix.ENFILE || err == unix.ENOMEM }

// unasked are the credentials of a packet that was sent before anybody asked for them (row
// 66).
var unasked = unix.Ucred{Pid: 0, Uid: 65534, Gid: 65534}

// expectHello makes the kernel attach the sender's process to what a socket receives, and keep
// descriptors out of it, so that nobody parks descriptors in the socket's queue. It comes before
// listen(2) or connect(2), so that no packet is missed. A kernel without SO_PASSPIDFD (before 6.5)
// names the sender by its credentials alone. A kernel without SO_PASSRIGHTS (before 6.16) lets
// descriptors in, which receive and whole close.
func expectHello(fd int) error {
	for _, o := range []struct{ option, value int }{{unix.SO_PASSCRED, 1}, {unix.SO_PASSPIDFD, 1}, {unix.SO_PASSRIGHTS, 0}} {
		if err := setIfKnown(fd, o.option, o.value); err != nil {
			return err
		}
	}
	return nil
}

// setIfKnown sets an option that an older kernel may lack.
func setIfKnown(fd, option, value int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, value); err != nil && err != unix.ENOPROTOOPT {
		return err
	}
	return nil
}

// awaited reports whether the next packet has to tell who sent it. It is only asked by the reader.
func (p *peer) awaited() bool { return !p.named || p.late || p.moved }

// roomForControl is more than credentials and pidfd take: a former owner of an end may have
// switched on what comes before them or between them (timestamps, a security label, SO_INQ), and
// must not push them out.
const roomForControl = 256

// receive reads one packet together with its sender. EPROTO: the sender is not the process that
// said hello, so what the packet says of descriptors is about another process's table.
func (p *peer) receive(fd uintptr, b []byte) (int, error) {
	var oob [roomForControl]byte
	var iov unix.Iovec
	iov.Base = unsafe.SliceData(b)
	iov.SetLen(len(b))
	msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: &oob[0]}
	msg.SetControllen(len(oob))
	n, _, errno := syscall.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)),
		unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, errno
	}
	p.note(oob[:msg.Controllen])
	if p.named && (p.ucred == nil || p.ucred.Pid != p.pid) {
		return 0, unix.EPROTO
	}
	if p.late && !noRoom(p.lack()) {
		return int(n), p.settle(int(fd))
	}
	return int(n), nil
}

// settle stops asking who sent each packet, as far as possible: each would bring a pidfd.
func (p *peer) settle(fd int) error {
	p.late = false
	options := []int{unix.SO_PASSPIDFD, unix.SO_PASSCRED}
	if p.moved {
		options = options[:1]
	}
	for _, opt := range options {
		if err := setIfKnown(fd, opt, 0); err != nil {
			return err
		}
	}
	return nil
}

// note keeps the process that the kernel attached. Descriptors that the peer attached are closed.
func (p *peer) note(oob []byte) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return // the kernel wrote it; without a process there will be no descriptors
	}
	for i := range msgs {
		m := &msgs[i]
		switch {
		case m.Header.Level != unix.SOL_SOCKET:
		case m.Header.Type == unix.SCM_CREDENTIALS:
			if u, err := unix.ParseUnixCredentials(m); err == nil && (p.ucred == nil || *u != unasked) {
				p.ucred = u
			}
		case m.Header.Type == unix.SCM_PIDFD && len(m.Data) >= 4:
			// A pidfd, or an error (scm_pidfd_recv in Linux's include/net/scm.h).
			p.hold(int(*(*int32)(unsafe.Pointer(&m.Data[0]))))
		case m.Header.Type == unix.SCM_RIGHTS:
			fds, _ := unix.ParseUnixRights(m)
			for _, fd := range fds {
				unix.Close(fd) // an errno in its place (SO_RIGHTS_NOTRUNC) is nobody's number
			}
		}
	}
}

// hold keeps pidfd in the place of what was held before.
func (p *peer) hold(pidfd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
	}
	p.pidfd = pidfd
	if p.closed {
		p.drop()
	}
}

func (p *peer) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop()
}

func (p *peer) drop() {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = noPIDFD
	}
}

// lack says why there is no pidfd; nil if there is one.
func (p *peer) lack() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lacking()
}

// lacking is lack for a caller that holds mu.
func (p *peer) lacking() error {
	if p.pidfd >= 0 {
		return nil
	}
	return unix.Errno(-p.pidfd)
}

// getfd is pidfd_getfd(2).
func (p *peer) getfd(theirs int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lacking(); err != nil {
		return -1, err
	}
	fd, err := unix.PidfdGetfd(p.pidfd, theirs, 0)
	if err == unix.EPERM && p.presumed {
		err = unix.EMFILE // the other side was told that it can be done
	}
	return fd, err
}

// presume says whether the other side was told more than is known.
func (p *peer) presume(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.presumed = on
}

// Proof is nothing: the kernel attaches the process to our hello.
func (p *Pipe) Proof() ([]byte, error) { return nil, nil }

// Identify returns the process that the kernel named as the sender of the last packet, the hello.
// If the kernel was not asked since, it is the sender of the hello before.
func (p *Pipe) Identify([]byte) (cred.Credentials, pipe.Ability, error) {
	u := p.peer.ucred
	if u == nil {
		return cred.Credentials{}, 0, unix.EPROTO
	}
	asked := !p.peer.named
	p.peer.named, p.peer.late, p.peer.pid = true, noRoom(p.peer.lack()), u.Pid
	if asked && !p.peer.late {
		var err error
		if p.raw.Control(func(fd uintptr) { err = p.peer.settle(int(fd)) }) != nil {
			return cred.Credentials{}, 0, net.ErrClosed
		}
		if err != nil {
			return cred.Credentials{}, 0, err
		}
	}
	who := credentials(u)
	allowTracing(who.PID)
	return who, p.ability(), nil
}

func credentials(u *unix.Ucred) cred.Credentials {
	return cred.Credentials{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid)}
}

// Expect makes the kernel name the sender of each packet, until the next Identify. From then on
// nobody else may send any packet. The reader calls it.
func (p *Pipe) Expect() error {
	var err error
	if p.raw.Control(func(fd uintptr) { err = expectHello(int(fd)) }) != nil {
		return net.ErrClosed
	}
	p.peer.named, p.peer.late, p.peer.moved = false, false, true
	return err
}

// Opener returns the process that has called connect, listen or socketpair for the other end.
func (p *Pipe) Opener() (who cred.Credentials, err error) {
	if p.raw.Control(func(fd uintptr) {
		var u *unix.Ucred
		if u, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who = credentials(u)
		}
	}) != nil {
		return cred.Credentials{}, net.ErrClosed
	}
	return who, err
}

// ability tries to pull a descriptor that cannot exist. Permission is checked first, so EBADF means
// that it is granted. If that cannot be tried now because this process is out of descriptors, it is
// presumed: what cannot be pulled for that reason is lost, as in the kernel, and not refused for
// ever.
func (p *Pipe) ability() pipe.Ability {
	p.peer.presume(false)
	_, err := p.peer.getfd(1<<31 - 1)
	p.peer.presume(noRoom(err))
	if err == unix.EBADF || noRoom(err) {
		return pipe.CanPull
	}
	return 0
}

// Answer has nothing to show: the kernel vouches for us.
func (p *Pipe) Answer() error { return nil }

// Confirmed is always true: the kernel vouches for the peer.
func (p *Pipe) Confirmed() bool { return true }

// Pull duplicates a descriptor out of the peer. It is close-on-exec (pidfd_getfd(2)).
func (p *Pipe) Pull(theirs uint64) (uintptr, error) {
	if theirs > 1<<31-1 {
		return 0, unix.EBADF
	}
	fd, err := p.peer.getfd(int(theirs))
	if err != nil {
		return 0, err
	}
	return uintptr(fd), nil
}

// Push is impossible on Linux.
func (p *Pipe) Push(uintptr) (uint64, error) { return 0, unix.EPERM }

// TakeBack has nothing to take back.
func (p *Pipe) TakeBack(uint64) error { return unix.EPERM }

// ExportsSockets is false: sockets are pulled like anything else.
func (p *Pipe) ExportsSockets() bool { return false }

// ExportSocket is not needed on Linux.
func (p *Pipe) ExportSocket(uintptr) ([]byte, error) { return nil, unix.ENOTSUP }

// ImportSocket is not needed on Linux.
func (p *Pipe) ImportSocket([]byte) (uintptr, error) { return 0, unix.ENOTSUP }
