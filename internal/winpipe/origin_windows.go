package winpipe

import (
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// An origin is what one end remembers of how its connection was made.
type origin struct {
	server bool             // this is the server's end
	since  windows.Filetime // the connection existed at this time, the other end included
	pid    uint32           // of the process that opened or created the other end; 0: the system does not say
	owner  string           // who owns the pipe; "" on the server's end
	late   bool             // the end was handed on to this process: nothing is known of the time before since
}

// newOrigin asks the system about the other end of pipe, which is connected.
func newOrigin(pipe windows.Handle, server bool, owner string) origin {
	o := origin{server: server, owner: owner}
	windows.GetSystemTimePreciseAsFileTime(&o.since) // the clock that stamps the creation of processes
	ask := windows.GetNamedPipeServerProcessId
	if server {
		ask = windows.GetNamedPipeClientProcessId
	}
	if ask(pipe, &o.pid) != nil {
		o.pid = 0
	}
	return o
}

// A witness is what the system says about the process at the other end, whatever that says itself.
type witness struct {
	origin
	subject subject // who opened the client's end, or owns the server's (user and integrity only)
	ceiling uint32  // the integrity that the process can have, at most, if it need not be the one that made the end
}

// witness asks the system who the peer is. A pipe shows its owner, but not whether the owner's
// token is restricted. So the owner counts as restricted unless the pipe's integrity is above this
// process's.
func (o origin) witness(pipe windows.Handle) (witness, error) {
	w := witness{origin: o}
	if !o.server {
		w.ceiling = pipeIntegrity(pipe)
		self, err := selfSubject()
		w.subject = subject{user: o.owner, integrity: w.ceiling, restricted: w.ceiling <= self.integrity}
		return w, err
	}
	var err error
	w.subject, err = clientSubject(pipe)
	w.ceiling = w.subject.integrity
	return w, err
}

// vouch checks that the process of who may be the peer. The user of that process must be the user
// whom the server impersonates, or the owner of the pipe. EPERM: the process is another user's; or
// it need not be the process that made the other end, and is above that one. (A sandboxed process
// must not pass for a process outside the sandbox.)
func (w witness) vouch(who subject, moved bool) error {
	switch {
	case who.user == w.subject.user:
	case !w.server && w.owner == administratorsSID && who.admin:
	default:
		return syscall.EPERM
	}
	integrity := who.integrity
	if !w.server {
		integrity = labelled(integrity) // as the ceiling is
	}
	handedOn := moved || w.late
	switch {
	case handedOn && integrity > w.ceiling:
		return syscall.EPERM
	case handedOn && w.server && w.subject.restricted && !who.restricted: // of a pipe's owner that is not known
		return syscall.EPERM
	}
	return nil
}

// other returns the process that has made the other end of a connection, and its user: the owner of
// the pipe, or who has opened the client's end. A process that is seen not to be that user's, or to
// be younger than the connection, is not named: its number is another process's by now, and PID is
// 0. A process that may not be opened, as one of another user, is named as the system names it.
// sure: the system has said who the user is, and not only which process it was.
func (o origin) other(pipe windows.Handle) (who cred.Credentials, sure bool, err error) {
	maker := openIdentity(o.pid)
	defer maker.close()
	known, err := o.witness(pipe)
	switch {
	case err != nil && o.server:
		who, err = o.alone(maker)
		return who, false, err
	case err != nil:
		return cred.Credentials{}, false, err
	}
	return o.name(maker, known), true, nil
}

// name is the part of other that is about the process.
func (o origin) name(maker peer, known witness) cred.Credentials {
	named := cred.Credentials{PID: int(o.pid), UID: -1, GID: -1, SID: known.subject.user}
	if maker.handle == 0 {
		return named
	}
	who, err := processSubject(maker.handle)
	switch {
	case err != nil && maker.existedAt(o.since):
		return named
	case err != nil || !maker.existedAt(o.since) || known.vouch(who, false) != nil:
		named.PID = 0
		return named
	}
	named.SID = who.user // the owner may be a group: Administrators
	return named
}

// alone returns the user of a client's process, where the system does not say who has opened the
// end, but only which process has: so it is before the first byte of a client has been read that
// has not asked for static tracking of its identity (SECURITY_QUALITY_OF_SERVICE, Microsoft), as
// plain clients have not. EPERM: that process may not be asked, or is younger than the connection.
func (o origin) alone(maker peer) (cred.Credentials, error) {
	if maker.handle == 0 || !maker.existedAt(o.since) {
		return cred.Credentials{}, syscall.EPERM
	}
	who, err := processSubject(maker.handle)
	if err != nil {
		return cred.Credentials{}, syscall.EPERM
	}
	return cred.Credentials{PID: int(o.pid), UID: -1, GID: -1, SID: who.user}, nil
}
