package endpoint

import (
	"context"
	"errors"
	"net"
	"os"

	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// maxLinks is how many links to other sockets a datagram socket keeps for the next datagram. The
// one that was not used for the longest time goes first; one that is being used is not counted.
const maxLinks = 32

// outgoing is the sending half of a datagram socket.
type outgoing struct {
	s        *PacketConn
	mu       locks.Mutex[locks.Outgoing]
	deadline deadline
	buffer   int // SO_SNDBUF
	links    map[string]*destination
	sent     uint64 // counts sends
	stop     func() // ends the dial that is under way; nil if none is
	closed   bool

	dialing locks.Mutex[locks.Dialing] // one dial at a time
}

// A destination is a link to a socket that is sent to by its name.
type destination struct {
	link  *link
	place pipe.Place // what the name led to when it was opened
	users int        // how many are sending on it
	used  uint64
}

// reach returns a link to the socket called name, and whether it is a new one.
// Whoever has reached it leaves it.
func (o *outgoing) reach(name string) (d *destination, fresh bool, err error) {
	place, err := o.s.network.Find(name)
	if err != nil {
		return nil, false, err
	}
	if d := o.find(name, place); d != nil {
		return d, false, nil
	}
	o.dialing.Lock()
	defer o.dialing.Unlock()
	if d := o.find(name, place); d != nil { // somebody else has dialled it
		return d, false, nil
	}
	d, err = o.dial(name, place)
	return d, true, err
}

// find returns the link to name, if it leads to place still.
func (o *outgoing) find(name string, place pipe.Place) *destination {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.links[name]
	if d == nil || d.place != place {
		return nil
	}
	o.useLocked(d)
	return d
}

func (o *outgoing) useLocked(d *destination) {
	o.sent++
	d.used = o.sent
	d.users++
}

// dial opens a link to the socket called name.
func (o *outgoing) dial(name string, place pipe.Place) (*destination, error) {
	ctx, cancel := context.WithCancel(o.s.ctx)
	defer cancel()
	if err := o.beginDial(cancel); err != nil {
		return nil, err
	}
	p, err := o.s.network.Dial(ctx, name)
	var l *link
	if err == nil {
		l, err = o.link(ctx, p)
	}
	return o.add(name, place, l, err)
}

// link makes a link of a pipe to another socket, which it owns.
func (o *outgoing) link(ctx context.Context, p pipe.Pipe) (*link, error) {
	s := o.s
	s.mu.Lock()
	cfg := s.linkConfigLocked()
	s.mu.Unlock()
	l := s.newLink(p, cfg, false, sock.RightsWindow)
	if err := l.dial(ctx, cfg); err != nil {
		return nil, err
	}
	return l, nil
}

// beginDial notes that a dial is under way, which stop ends.
func (o *outgoing) beginDial(stop func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.stoppedLocked(); err != nil {
		return err
	}
	o.stop = stop
	return nil
}

func (o *outgoing) stoppedLocked() error {
	return errorOf(sock.Stopped(o.closed, o.deadline.expired), nil)
}

// late reports whether the deadline has come.
func (o *outgoing) late() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.deadline.expired
}

// expireLocked ends a dial whose deadline has come.
func (o *outgoing) expireLocked() {
	if o.stop != nil {
		o.stop()
	}
}

// add ends a dial: it keeps the link l, or returns the error.
func (o *outgoing) add(name string, place pipe.Place, l *link, err error) (*destination, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop = nil
	if errors.Is(err, context.Canceled) {
		if err = o.stoppedLocked(); err == nil {
			err = os.ErrDeadlineExceeded // it had come, and has been put off since
		}
	}
	if err != nil {
		return nil, err
	}
	if o.closed {
		go l.Close()
		return nil, net.ErrClosed
	}
	l.SetWriteDeadline(o.deadline.at)
	if o.links == nil {
		o.links = make(map[string]*destination)
	}
	o.discardLocked(name) // what the name led to before
	o.makeRoomLocked()
	d := &destination{link: l, place: place}
	o.links[name] = d
	o.useLocked(d)
	return d, nil
}

// discardLocked forgets the link to name. Whoever is sending on it closes it.
func (o *outgoing) discardLocked(name string) {
	d := o.links[name]
	delete(o.links, name)
	if d != nil && d.users == 0 {
		go d.link.Close()
	}
}

// makeRoomLocked closes the link that has not been used for the longest time, if there are too
// many.
func (o *outgoing) makeRoomLocked() {
	idle, oldest := 0, ""
	for name, d := range o.links {
		if d.users > 0 {
			continue
		}
		if idle++; idle == 1 || d.used < o.links[oldest].used {
			oldest = name
		}
	}
	if idle >= maxLinks {
		o.discardLocked(oldest)
	}
}

// done ends a send on d; gone means that the link is of no use any more.
func (o *outgoing) done(name string, d *destination, gone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.users--
	current := o.links[name] == d
	if current && gone {
		delete(o.links, name)
	}
	if d.users == 0 && (gone || !current) {
		go d.link.Close()
	}
}

// close ends what is under way, and returns the links, for the caller to close.
func (o *outgoing) close() (links []*link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.deadline.stopLocked()
	o.expireLocked()
	for _, d := range o.links {
		links = append(links, d.link)
	}
	clear(o.links)
	return links
}

// forget returns the links on which nobody is sending, for the caller to close.
func (o *outgoing) forget() (links []*link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, d := range o.links {
		if d.users == 0 {
			links = append(links, d.link)
			delete(o.links, name)
		}
	}
	return links
}

// size is SO_SNDBUF.
func (o *outgoing) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer
}

// bufferSize bounds a SO_SNDBUF that another process has written down.
func bufferSize(bytes int) int {
	box := sock.NewOutbox(sock.Datagram)
	box.SetBuffer(bytes)
	return box.Buffer()
}
