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

// A Listener waits for the clients of a name: a [pipe.Source].
type Listener struct {
	socketType sock.Type
	id         pipeID
	sddl       string // what attributes were made of
	attributes *windows.SecurityAttributes
	sentinel   windows.Handle // shows that the listener exists; nobody connects to it
	instances  int            // how many are to wait
	file       *boundFile     // nil for an abstract name
	unlinked   func() error   // removes that the first time, and says each time what came of it
	exam       *examination   // of handles that another process has handed on

	accepting locks.Mutex[locks.Accepting] // held by Accept while it waits
	waiting   []*instance
	idle      []windows.Handle // older instances at which nobody waits: handed on, to this process or by it

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
	l, err := newListener(t, who.pipe)
	if err != nil {
		return nil, err
	}
	if 0 < o.Backlog && o.Backlog < maxInstances {
		l.instances = o.Backlog
	}
	id, hasFile := listenerID(name, t)
	l.id = id
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

// listenerID returns the pipe on which a listener of that name serves its clients, and whether a
// socket file leads there. Of a public name that is the private pipe; whoever listens has made the
// public one before.
func listenerID(name string, t sock.Type) (id pipeID, hasFile bool) {
	if pipe.IsAbstract(name) {
		return abstractID(cred.Self().SID, name, t), false
	}
	if public := lookalike.PipeAt(name); public != "" {
		return publicID(public, t), false
	}
	rand.Read(id[:])
	return id, true
}

func newListener(t sock.Type, sddl string) (*Listener, error) {
	attributes, err := securityAttributes(sddl)
	if err != nil {
		return nil, err
	}
	stop, err := newEvent()
	if err != nil {
		return nil, err
	}
	l := &Listener{
		socketType: t,
		sddl:       sddl,
		attributes: attributes,
		instances:  maxInstances,
		exam:       passed,
		stop:       stop,
		stopped:    make(chan struct{}),
	}
	l.unlinked = sync.OnceValue(l.unlinkFile)
	return l, nil
}

// open makes the sentinel, which is the claim to the name, and the instances. The caller releases
// them, also after an error.
func (l *Listener) open() (err error) {
	if l.sentinel, err = newSentinel(l.id, l.attributes); err != nil {
		return err
	}
	first, err := firstInstance(l.id, l.attributes)
	if err != nil {
		return err
	}
	l.waiting = append(l.waiting, first)
	return l.topUp()
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

// firstInstance makes the first instance of the pipe. If the name exists, then because connections
// have outlived an earlier listener to an abstract name: it can be used again, provided that it is
// the same user's. EADDRINUSE if it is not.
func firstInstance(id pipeID, attributes *windows.SecurityAttributes) (*instance, error) {
	first, err := newInstance(id, attributes, true)
	if err != syscall.EACCES {
		return first, err
	}
	if first, err = newInstance(id, attributes, false); err != nil {
		return nil, syscall.EADDRINUSE
	}
	if owner, err := ownerOf(first.pipe, windows.SE_KERNEL_OBJECT); err != nil || owner != cred.Self().SID {
		first.close()
		return nil, syscall.EADDRINUSE
	}
	return first, nil
}

// Name returns the path of the socket file; "" if there is none.
func (l *Listener) Name() string {
	if l.file == nil {
		return ""
	}
	return l.file.path
}

// topUp waits at the instances that were handed on, and makes more until as many wait as should.
func (l *Listener) topUp() error {
	for len(l.idle) > 0 {
		in, err := startInstance(l.idle[0], true)
		if err != nil {
			return err
		}
		l.waiting, l.idle = append(l.waiting, in), l.idle[1:]
	}
	for len(l.waiting) < l.instances {
		in, err := newInstance(l.id, l.attributes, false)
		if err != nil {
			return err
		}
		l.waiting = append(l.waiting, in)
	}
	return nil
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
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for {
		if err := l.settle(); err != nil {
			return nil, err
		}
		if err := l.topUp(); err != nil && len(l.waiting) == 0 {
			return nil, err
		}
		i, err := l.wait()
		if err != nil {
			return nil, err
		}
		connected := l.waiting[i]
		l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
		l.topUp() // the next client should not have to wait; if it fails, the next Accept tries again and says why
		switch p, err := connected.accept(); err {
		case nil:
			return p, nil
		case errNoClient:
		default:
			return nil, err
		}
	}
}

// wait returns the index of an instance whose wait for a client has ended: the oldest one, to which
// the system leads clients first.
func (l *Listener) wait() (int, error) {
	var events [1 + maxInstances]windows.Handle
	events[0] = l.stop
	for i, in := range l.waiting {
		events[1+i] = in.event
	}
	n, err := windows.WaitForMultipleObjects(events[:1+len(l.waiting)], false, windows.INFINITE)
	if err != nil {
		return 0, errno(err)
	}
	if n == windows.WAIT_OBJECT_0 {
		return 0, net.ErrClosed
	}
	return int(n) - 1, nil
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
		l.end()
		return err
	}
	go func() { // nobody knows yet what these handles are, and so whether closing them waits
		<-l.exam.looked
		l.end()
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

// end closes what open made.
func (l *Listener) end() {
	l.accepting.Lock() // Accept has left
	defer l.accepting.Unlock()
	l.release()
}

// release closes what open made. The sentinel goes last: while it is there, nobody else can bind
// the name, and so no client meets an instance of ours in place of the new listener's.
func (l *Listener) release() {
	for _, in := range l.waiting {
		in.close()
	}
	l.waiting = nil
	for _, h := range append(l.idle, l.sentinel, l.stop) {
		if h != 0 {
			windows.CloseHandle(h)
		}
	}
}
