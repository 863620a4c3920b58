package winpipe

import (
	"crypto/rand"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/locks"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A Listener waits for the clients of a name: a [pipe.Source]. To a public name it has two doors,
// and is a [pipe.Host]: see docs/PROTOCOL.md.
type Listener struct {
	socketType sock.Type
	id         pipeID
	sddl       string         // what the attributes of pipes were made of
	name       string         // the public name, without what is in front of it; "" if there is none
	sentinel   windows.Handle // shows that the listener exists; nobody connects to it
	private    *entrance
	public     *entrance    // nil without a public name
	file       *boundFile   // nil for an abstract or public name
	unlinked   func() error // removes that the first time, and says each time what came of it
	exam       *examination // of handles that another process has handed on

	mu        locks.Mutex[locks.PipeListener]
	closed    bool
	suspended bool
	unlink    bool
	stop      windows.Handle // set by Close and Suspend until Resume, and …
	stopped   chan struct{}  // … closed, too
}

// Listen binds name, and listens there. The security descriptor's owner, which clients compare with
// the file's, is the current user unless it names another: see securityAttributes.
func (System) Listen(name string, t sock.Type, o pipe.Options) (pipe.Source, error) {
	if err := checkName(name, t); err != nil {
		return nil, err
	}
	who, err := accessOf(o, pipe.IsAbstract(name))
	if err != nil {
		return nil, err
	}
	s, hasFile := stateFor(name, t)
	s.sddl, s.instances, s.guests = who.pipe, atMost(maxInstances, o.Backlog), atMost(maxGuests, o.Backlog)
	l, err := newListener(s)
	if err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		l.release()
		return nil, err
	}
	if !hasFile {
		return l, nil
	}
	l.unlink = true
	attributes, err := securityAttributes(who.file)
	if err == nil {
		l.file, err = createSocketFile(name, sockfile{t, l.id}, attributes)
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// atMost is the backlog, if there is one, or else limit, which is the most that it can be.
func atMost(limit, backlog int) int {
	if 0 < backlog && backlog < limit {
		return backlog
	}
	return limit
}

// stateFor returns on which pipe a listener of that name serves its clients, and whether a socket
// file leads there. To a public name that is the pipe beside the public one.
func stateFor(name string, t sock.Type) (s sourceState, hasFile bool) {
	s.socketType = t
	if pipe.IsAbstract(name) {
		s.id = abstractID(cred.Self().SID, name, t)
		return s, false
	}
	if public := lookalike.PipeAt(name); public != "" {
		s.public, s.id = public, publicID(public, t)
		return s, false
	}
	rand.Read(s.id[:])
	return s, true
}

// newListener makes a Listener with that state, without handles and without a file.
func newListener(s sourceState) (*Listener, error) {
	attributes, err := securityAttributes(s.sddl)
	if err != nil {
		return nil, err
	}
	l := &Listener{socketType: s.socketType, id: s.id, sddl: s.sddl, name: s.public, exam: passed, stopped: make(chan struct{})}
	l.unlinked = sync.OnceValue(l.unlinkFile)
	if l.private, err = newEntrance(s.id.pipeName(), messageMode, quota, attributes, s.instances); err != nil {
		return nil, err
	}
	if s.public != "" {
		l.public, err = newEntrance(device+s.public, byteMode, publicQuota, attributes, s.guests)
	}
	if err == nil {
		l.stop, err = newEvent()
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// open makes the pipes and their instances. The public pipe comes first, and then the sentinel,
// which is the claim to the private one. The caller releases them, also after an error.
func (l *Listener) open() (err error) {
	if l.public != nil {
		if err := l.public.addPublic(); err != nil {
			return err
		}
	}
	if l.sentinel, err = newSentinel(l.id, l.private.attributes); err == nil {
		err = l.private.addPrivate()
	}
	switch {
	case err == syscall.EADDRINUSE && l.public != nil:
		return errPrivateTaken
	case err != nil:
		return err
	}
	for _, e := range l.entrances() {
		if err := e.topUp(); err != nil {
			return err
		}
	}
	return nil
}

// errPrivateTaken: nobody has the public name, and somebody the pipe beside it.
var errPrivateTaken = &lookalike.Error{Errno: syscall.EADDRINUSE,
	What: "it is the name of a pipe that is free, but another process has the pipe beside it by which afunix is found"}

// entrances returns those that there are.
func (l *Listener) entrances() []*entrance {
	if l.public == nil {
		return []*entrance{l.private}
	}
	return []*entrance{l.private, l.public}
}

// newSentinel makes the pipe that exists as long as the listener: EADDRINUSE if there is one
// already. The sentinel has one instance, because Wine ignores FILE_FLAG_FIRST_PIPE_INSTANCE.
func newSentinel(id pipeID, attributes *windows.SecurityAttributes) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(id.sentinelName())
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_INBOUND|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_REJECT_REMOTE_CLIENTS, 1, 0, 0, 0, attributes)
	switch err {
	case nil:
		return h, nil
	case windows.ERROR_ACCESS_DENIED, windows.ERROR_PIPE_BUSY:
		return 0, syscall.EADDRINUSE
	}
	return 0, errno(err)
}

// Name returns the path of the socket file; "" if there is none.
func (l *Listener) Name() string {
	if l.file == nil {
		return ""
	}
	return l.file.path
}

// SetUnlinkOnClose says whether Close removes the socket file. By default Close does.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlink = unlink
}

// Accept waits for the next client, in the order in which clients came. It occupies a thread
// meanwhile. A client that has written something and closed its end is a client, too. Accept fails
// with net.ErrClosed once Close or Suspend was called. EPROTO: what was handed on is not a
// listener. Any other error is one of resources (EMFILE, ENOMEM), after which trying again later
// makes sense.
func (l *Listener) Accept() (pipe.Pipe, error) {
	for {
		in, err := l.next(l.private)
		if err != nil {
			return nil, err
		}
		switch p, err := in.accept(); err {
		case nil:
			return p, nil
		case errNoClient:
		default:
			return nil, err
		}
	}
}

// next waits for the next client at e.
func (l *Listener) next(e *entrance) (*instance, error) {
	e.accepting.Lock()
	defer e.accepting.Unlock()
	if err := l.settle(); err != nil {
		return nil, err
	}
	return e.next(l.stop)
}

// isStopped reports whether Close or Suspend was called. The caller holds l.mu.
func (l *Listener) isStopped() bool { return l.closed || l.suspended }

// wakeAccept makes Accept return, until Resume. It is called with l.mu held, unless isStopped.
func (l *Listener) wakeAccept() {
	windows.SetEvent(l.stop)
	close(l.stopped)
}

// Close removes the socket file, if it is still the one that Listen made. Then it stops listening,
// so that the file is never a stale one. Clients that were not accepted find their connection
// closed. After Suspend such clients belong to the process that has been handed the listener.
func (l *Listener) Close() error {
	err := l.Unlink()
	if !l.markClosed() {
		return net.ErrClosed
	}
	if l.exam.verdict() == nil {
		l.release()
		return err
	}
	go func() { // nobody knows yet what these handles are, and so whether closing them waits
		<-l.exam.looked
		l.release()
	}()
	return err
}

// markClosed makes Accept return, and reports whether this is the first Close.
func (l *Listener) markClosed() (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = !l.closed
	if !l.isStopped() {
		l.wakeAccept()
	}
	l.closed = true
	return first
}

// release closes what open made, once whoever waits for a client has left. The sentinel goes last:
// while it is there, nobody else can bind the name, and so no client meets an instance of ours in
// place of the new listener's.
func (l *Listener) release() {
	for _, e := range l.entrances() {
		e.close()
	}
	for _, h := range []windows.Handle{l.sentinel, l.stop} {
		if h != 0 {
			windows.CloseHandle(h)
		}
	}
}
