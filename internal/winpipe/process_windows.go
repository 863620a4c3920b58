package winpipe

import (
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
)

// A process is the process at the other end, and the event by which this process proves itself to
// that process. The lock is shared by calls that use the handles, and exclusive for calls that
// replace them.
type process struct {
	mu     locks.RWMutex[locks.PipeProcess]
	closed bool
	proof  windows.Handle // our event, which our proof names; 0 until Proof
	peer   peer
}

// A peer is a process that was found. The zero peer could not be opened.
type peer struct {
	handle     windows.Handle // 0: not open
	pid        uint32
	duplicates bool           // handle has PROCESS_DUP_HANDLE
	answer     windows.Handle // the event of its proof, until it was seen to be set
}

func (p *peer) close() {
	for _, h := range []windows.Handle{p.handle, p.answer} {
		if h != 0 {
			windows.CloseHandle(h)
		}
	}
	*p = peer{}
}

func (p *process) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.peer.close()
	if p.proof != 0 {
		windows.CloseHandle(p.proof)
		p.proof = 0
	}
}

// Proof returns this process's number and an event in its handle table, which Answer sets.
func (p *Pipe) Proof() ([]byte, error) {
	own := &p.process
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.closed {
		return nil, net.ErrClosed
	}
	if own.proof == 0 {
		event, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			return nil, errno(err)
		}
		own.proof = event
	}
	return proof{uint32(os.Getpid()), uint32(own.proof)}.append(nil), nil
}

// Answer sets the event that our proof names.
func (p *Pipe) Answer() error {
	own := &p.process
	own.mu.RLock()
	defer own.mu.RUnlock()
	if own.closed {
		return net.ErrClosed
	}
	if own.proof == 0 {
		return syscall.EINVAL // no hello of ours has named a process yet
	}
	return errno(windows.SetEvent(own.proof))
}

// Confirmed reports whether the peer has set the event that its proof named. Where that could not
// be taken from its process there is nothing to see: then the peer is known only as the system
// knows it, and this side cannot duplicate anyway.
func (p *Pipe) Confirmed() bool {
	own := &p.process
	own.mu.Lock()
	defer own.mu.Unlock()
	answer := &own.peer.answer
	if *answer == 0 {
		return !own.closed
	}
	if event, err := windows.WaitForSingleObject(*answer, 0); err != nil || event != windows.WAIT_OBJECT_0 {
		return false
	}
	windows.CloseHandle(*answer)
	*answer = 0
	return true
}

// Identify finds the peer's process by its proof: see pipe.Peer. What the system itself says about
// the connection (see origin) must agree. EPROTO: there is no such proof; EPERM: the process is
// another user's, or the system does not say whose it is. If nothing shows that a process to which
// the end was handed on is the peer, because it has closed the end already, say, or cannot be
// opened, then its number is 0 in the credentials, and nothing can be duplicated.
func (p *Pipe) Identify(b []byte) (cred.Credentials, pipe.Ability, error) {
	claim, err := parseProof(b)
	if err != nil {
		return cred.Credentials{}, 0, err
	}
	known, err := p.witness()
	if err != nil {
		return cred.Credentials{}, 0, err
	}
	found, err := identify(claim, known)
	if err != nil {
		return cred.Credentials{}, 0, err
	}
	own := &p.process
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.closed {
		found.peer.close()
		return cred.Credentials{}, 0, net.ErrClosed
	}
	own.peer.close()
	own.peer = found.peer
	p.apart.Store(found.pid != 0 && found.pid != uint32(os.Getpid()))
	return found.credentials(), found.abilities(), nil
}

// witness asks the system about the other end: EPERM if it does not say.
func (p *Pipe) witness() (known witness, err error) {
	if p.closed.Load() {
		return witness{}, net.ErrClosed
	}
	if err := p.end.settle(); err != nil {
		return witness{}, err
	}
	unused := p.end.use(func(fd uintptr) { known, err = p.origin.witness(windows.Handle(fd)) })
	switch {
	case unused != nil:
		return witness{}, unused
	case err != nil:
		return witness{}, syscall.EPERM
	}
	return known, nil
}

// Opener returns the process that opened or created the other end: see pipe.Peer. Its number may be
// another process's by now. EPERM: the system does not say whose it is.
func (p *Pipe) Opener() (cred.Credentials, error) {
	known, err := p.witness()
	if err != nil {
		return cred.Credentials{}, err
	}
	return cred.Credentials{PID: int(known.pid), UID: -1, GID: -1, SID: known.subject.user}, nil
}

// Expect has nothing to do: a hello carries the proof of who says it, and Identify is given that.
func (p *Pipe) Expect() error { return nil }

// An identity is what is known of the peer after its hello.
type identity struct {
	peer peer
	pid  uint32 // 0: not known
	who  subject
}

func (i identity) credentials() cred.Credentials {
	return cred.Credentials{PID: int(i.pid), UID: -1, GID: -1, SID: i.who.user}
}

// abilities says what can be done to the peer, and whether the peer is believed. A peer that is not
// known is not believed, whoever made its end.
func (i identity) abilities() pipe.Ability {
	var a pipe.Ability
	if i.peer.duplicates {
		a |= pipe.CanPull | pipe.CanPush
	}
	if i.pid != 0 && i.who.trusted() {
		a |= pipe.Trusts
	}
	return a
}

// identify opens the process that claim names and holds it against what is known about the
// connection.
//
// The peer is the process whose number is that of the process that opened the other end, if it is
// older than the connection. Any other number means that the end was handed on (P2). If the number
// is right, but the process is younger, then the number was used again. In that case the peer is
// gone; or the younger process, too, was handed the end, if it can show that.
func identify(claim proof, known witness) (identity, error) {
	found := openPeer(claim.pid)
	if claim.pid != known.pid {
		return found.verify(claim, known, true)
	}
	if found.handle != 0 && !found.existedAt(known.since) {
		if heir, err := found.verify(claim, known, true); err == nil && heir.pid != 0 {
			return heir, nil
		}
		found = peer{}
	}
	return found.verify(claim, known, false)
}

// verify decides whether p, which it owns, is the peer that claim names. A process to which the end
// was handed on must be open to us and prove itself, and must not be more privileged than the one
// that had the end first.
func (p peer) verify(claim proof, known witness, moved bool) (identity, error) {
	who, readable := known.subject, false
	if p.handle != 0 {
		if s, err := processSubject(p.handle); err == nil {
			who, readable = s, true
		}
	}
	if p.duplicates {
		if err := p.takeAnswer(claim.event); err != nil {
			p.close()
			return identity{}, err
		}
	}
	if moved && (!readable || !p.duplicates) {
		p.close()
		return identity{who: known.subject}, nil
	}
	if err := known.vouch(who, moved); err != nil {
		p.close()
		return identity{}, err
	}
	return identity{p, claim.pid, who}, nil
}

// openPeer opens a process as far as it may be opened. The right to duplicate amounts to control of
// that process, so the handle never leaves this package.
func openPeer(pid uint32) peer {
	h, err := windows.OpenProcess(windows.PROCESS_DUP_HANDLE|identityAccess, false, pid)
	if err == nil {
		return peer{handle: h, pid: pid, duplicates: true}
	}
	return openIdentity(pid)
}

// identityAccess is what it takes to ask a process who it is.
const identityAccess = windows.PROCESS_QUERY_LIMITED_INFORMATION | windows.SYNCHRONIZE

// openIdentity opens a process to ask it who it is, and for nothing else.
func openIdentity(pid uint32) peer {
	h, err := windows.OpenProcess(identityAccess, false, pid)
	if err != nil {
		return peer{}
	}
	return peer{handle: h, pid: pid}
}

func (p *peer) existedAt(t windows.Filetime) bool {
	var created, exited, kernel, user windows.Filetime
	err := windows.GetProcessTimes(p.handle, &created, &exited, &kernel, &user)
	return err == nil && created.Nanoseconds() <= t.Nanoseconds()
}

// takeAnswer duplicates the event that the peer's proof names. If there is no such event, the peer
// has closed its end, or the whole process is gone: what it wrote can still be read, and p is
// closed. EPROTO: the value is none of a handle. What is behind it is asked in a way that cannot
// wait, and nothing is done to it before.
func (p *peer) takeAnswer(event uint32) error {
	if !proper(uint64(event)) {
		return syscall.EPROTO
	}
	ours, err := p.pull(uint64(event))
	switch err {
	case nil:
	case syscall.EBADF, syscall.ESRCH, syscall.EPERM:
		p.close()
		return nil
	default:
		return err
	}
	name, err := descriptor.ObjectType(ours)
	if err != nil || name != "Event" { // the value was used again
		windows.CloseHandle(windows.Handle(ours))
		p.close()
		return nil
	}
	p.answer = windows.Handle(ours)
	return nil
}

// proper reports whether a value can be a handle in a process's table. Pseudo-handles (−1 … −12, in
// 64 bits or sign-extended in 32) would mean our own process, thread or token to DuplicateHandle;
// the low two bits are ignored by the system, so that one handle would have four names.
func proper(value uint64) bool { return value != 0 && value&3 == 0 && value < 1<<31 }

// Pull duplicates theirs into this process: see pipe.Process. The peer's own handle stays as it is.
func (p *Pipe) Pull(theirs uint64) (uintptr, error) {
	own := &p.process
	own.mu.RLock()
	defer own.mu.RUnlock()
	if own.closed {
		return 0, net.ErrClosed
	}
	return own.peer.pull(theirs)
}

func (p *peer) pull(theirs uint64) (uintptr, error) {
	if !p.duplicates {
		return 0, syscall.EPERM
	}
	if !proper(theirs) {
		return 0, syscall.EBADF
	}
	var ours windows.Handle
	err := windows.DuplicateHandle(p.handle, windows.Handle(theirs), windows.CurrentProcess(), &ours,
		0, false, windows.DUPLICATE_SAME_ACCESS)
	return uintptr(ours), p.errno(err)
}

// Push duplicates ours into the peer's process: see pipe.Process.
func (p *Pipe) Push(ours uintptr) (uint64, error) {
	own := &p.process
	own.mu.RLock()
	defer own.mu.RUnlock()
	switch {
	case own.closed:
		return 0, net.ErrClosed
	case !own.peer.duplicates:
		return 0, syscall.EPERM
	case !proper(uint64(ours)):
		return 0, syscall.EBADF
	}
	var theirs windows.Handle
	err := windows.DuplicateHandle(windows.CurrentProcess(), windows.Handle(ours), own.peer.handle, &theirs,
		0, false, windows.DUPLICATE_SAME_ACCESS)
	return uint64(theirs), own.peer.errno(err)
}

// TakeBack closes theirs in the peer's process: it is moved here, and closed here. (With no target
// process Windows would close it there at once, but Wine 8 does nothing then.)
func (p *Pipe) TakeBack(theirs uint64) error {
	own := &p.process
	own.mu.RLock()
	defer own.mu.RUnlock()
	switch {
	case own.closed:
		return net.ErrClosed
	case !own.peer.duplicates:
		return syscall.EPERM
	case !proper(theirs):
		return syscall.EBADF
	}
	var ours windows.Handle
	err := windows.DuplicateHandle(own.peer.handle, windows.Handle(theirs), windows.CurrentProcess(), &ours,
		0, false, windows.DUPLICATE_SAME_ACCESS|windows.DUPLICATE_CLOSE_SOURCE)
	if err != nil {
		return own.peer.errno(err)
	}
	return errno(windows.CloseHandle(ours))
}

// errno is errno for a duplication from or to the peer. The system says of a process that has ended
// that the handle is invalid or that access is denied. The process is held open, so its number
// cannot mean another one meanwhile.
func (p *peer) errno(err error) error {
	if err == nil {
		return nil
	}
	if event, waitErr := windows.WaitForSingleObject(p.handle, 0); waitErr == nil && event == windows.WAIT_OBJECT_0 {
		return syscall.ESRCH
	}
	if err = errno(err); err == syscall.EACCES {
		return syscall.EPERM
	}
	return err
}

// protocolInfo is what of a WSAPROTOCOL_INFOW matters for a duplicate: all but the protocol's name,
// with which it ends.
const protocolInfo = int(unsafe.Offsetof(windows.WSAProtocolInfo{}.ProtocolName))

// A description must fit into a record.
var _ [pipe.MaxExtra - protocolInfo]struct{}

// ExportsSockets: what DuplicateHandle makes of a socket is no socket to Winsock.
func (p *Pipe) ExportsSockets() bool { return true }

// ExportSocket duplicates the socket ours into the peer's process: see pipe.Process. From now on
// there is a handle in the peer's table, which ImportSocket adopts.
func (p *Pipe) ExportSocket(ours uintptr) ([]byte, error) {
	own := &p.process
	own.mu.RLock()
	defer own.mu.RUnlock()
	switch {
	case own.closed:
		return nil, net.ErrClosed
	case !own.peer.duplicates:
		return nil, syscall.EPERM
	case !proper(uint64(ours)):
		return nil, syscall.EBADF
	}
	var info windows.WSAProtocolInfo
	if err := windows.WSADuplicateSocket(windows.Handle(ours), own.peer.pid, &info); err != nil {
		return nil, own.peer.errno(err)
	}
	description := make([]byte, protocolInfo)
	copy(description, infoBytes(&info))
	return description, nil
}

// ImportSocket makes a socket from a description: see pipe.Process. The description has in it the
// value of a handle in our own table, in a place that is the provider's secret (and another one on
// Wine): believe it only from a peer that is trusted (P1).
func (p *Pipe) ImportSocket(description []byte) (uintptr, error) {
	var info windows.WSAProtocolInfo
	if len(description) != protocolInfo {
		return 0, syscall.EPROTO
	}
	copy(infoBytes(&info), description)
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	h, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, &info, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return 0, errno(err)
	}
	return uintptr(h), nil
}

func infoBytes(info *windows.WSAProtocolInfo) []byte {
	return (*[unsafe.Sizeof(*info)]byte)(unsafe.Pointer(info))[:]
}
