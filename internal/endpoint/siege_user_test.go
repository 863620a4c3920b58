package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A thing is a socket of the victim's user. Its fields are guarded by siege.mu.
type thing struct {
	conn     transport.Conn     // nil for a listener
	listener *endpoint.Listener // nil for another
	account  *account           // of what is read from it; nil: nothing is known
	many     bool               // what is read from it is what any mouth has said
	busy     [2]bool            // a call reads, a call writes
}

const (
	toRead = iota
	toWrite
)

func (t *thing) close() {
	if t.conn != nil {
		t.conn.Close() // it may be closed, or moved, already
	} else {
		t.listener.Close()
	}
}

// has gives the user a socket of his own.
func (s *siege) has(e any) {
	_, many := e.(*endpoint.PacketConn)
	s.hasGot(e, many)
}

// hasGot gives the user a socket, perhaps from the enemy: then nobody knows what was in its queue.
func (s *siege) hasGot(e any, many bool) {
	t := &thing{many: many}
	switch e := e.(type) {
	case *endpoint.Listener:
		t.listener = e
	case *endpoint.Conn:
		raw, err := e.SyscallConn()
		if err != nil {
			s.t.Error(err)
		}
		if g := raw.(gateDescriptor); !g.moved {
			t.account = g.mouth.account
		}
		t.conn = e
	case *endpoint.PacketConn:
		t.conn = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.things) < most {
		s.things = append(s.things, t)
		return
	}
	go t.close()
}

// patient is how long a call of the user's may take.
const patient = time.Second

// call makes a call on another goroutine, unless one of its kind is under way on the same socket.
func (s *siege) call(t *thing, how int, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.busy[how] {
		return
	}
	t.busy[how] = true
	go func() {
		f()
		s.mu.Lock()
		defer s.mu.Unlock()
		t.busy[how] = false
	}()
}

// What the user can do with a socket that does not listen. With a listener he accepts.
const (
	toRecv byte = iota
	toPeek
	toReadOnly
	toSend
	toSendFiles
	toSendEnd // which is another of his sockets, or the same
	toPass
	toCloseRead
	toCloseWrite
	toResize
	toClose
	toDial
	actsEnd
)

// act makes the user do something that the script chooses.
func (s *siege) act() {
	op, which, n := s.script.byte(), s.script.byte(), s.script.byte()
	s.mu.Lock()
	if len(s.things) == 0 {
		s.mu.Unlock()
		return
	}
	t := s.things[int(which)%len(s.things)]
	other := s.things[int(n)%len(s.things)]
	s.mu.Unlock()
	if t.listener != nil {
		s.actOnListener(op, t)
		return
	}
	size := []int{1, 10, 100, 5000, 70_000}[n%5]
	switch op % actsEnd {
	case toRecv, toPeek:
		s.call(t, toRead, func() { s.recv(t, size, op%actsEnd == toPeek) })
	case toReadOnly:
		s.call(t, toRead, func() { s.read(t, size) })
	case toSend:
		s.call(t, toWrite, func() { s.send(t, size, nil, n&64 != 0) })
	case toSendFiles:
		s.call(t, toWrite, func() { s.send(t, size, s.mine[:1+n%2], n&64 != 0) })
	case toSendEnd:
		s.call(t, toWrite, func() { s.send(t, size, []transport.File{other.file()}, n&64 != 0) })
	case toPass:
		s.call(t, toWrite, func() { s.mind(t.conn.SetPassCredentials(n&1 != 0)) })
	case toCloseRead:
		s.call(t, toRead, func() { s.mind(t.conn.CloseRead()) })
	case toCloseWrite:
		s.mind(t.conn.CloseWrite())
	case toResize:
		s.mind(t.conn.SetWriteBuffer(int(n) * 2000))
	case toClose:
		go t.close()
	case toDial:
		s.call(t, toWrite, func() { s.dial(n) })
	}
}

func (s *siege) actOnListener(op byte, t *thing) {
	switch op % 4 {
	case 0, 1, 2:
		s.call(t, toRead, func() {
			t.listener.SetDeadline(time.Now().Add(patient)) // fails if it is closed, and so does Accept
			c, err := t.listener.Accept()
			if s.mind(err); err == nil {
				s.has(c)
			}
		})
	case 3:
		go t.close()
	}
}

// file is what moves when a thing is sent.
func (t *thing) file() transport.File {
	if t.listener != nil {
		return transport.File{End: t.listener}
	}
	return transport.File{End: t.conn}
}

func (s *siege) recv(t *thing, size int, peek bool) {
	buf := make([]byte, size)
	t.conn.SetReadDeadline(time.Now().Add(patient)) // fails if it is closed, and so does Recv
	m, err := t.conn.Recv(buf, peek)
	s.received(t, reading{b: buf[:m.N], room: size, m: m, peek: peek, err: err})
	s.take(m.Rights)
}

func (s *siege) read(t *thing, size int) {
	buf := make([]byte, size)
	t.conn.SetReadDeadline(time.Now().Add(patient))
	n, err := t.conn.Read(buf)
	s.received(t, reading{b: buf[:n], room: size, plain: true, err: err})
}

// received checks what was read.
func (s *siege) received(t *thing, r reading) {
	s.mind(r.err)
	if r.err != nil && !errors.Is(r.err, descriptor.ErrRightsTruncated) {
		if len(r.b) > 0 || r.m.Rights != nil {
			s.t.Errorf("%d bytes and %d descriptors beside %v", len(r.b), r.m.Rights.Len(), r.err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.many {
		checkDatagram(s.t, s.mouths, r)
	} else if t.account != nil {
		t.account.check(s.t, s.victim, r)
	}
}

// take takes the ends that have come, and closes everything else.
func (s *siege) take(set *descriptor.Set) {
	for i := range set.Len() {
		err := set.Give(i, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error {
			if e == nil {
				return errNotWanted
			}
			s.hasGot(e, false)
			return nil
		})
		if err != nil && err != errNotWanted && !errors.Is(err, os.ErrClosed) {
			s.t.Error(err)
		}
	}
	s.mind(set.Close())
}

var errNotWanted = errors.New("not wanted")

func (s *siege) send(t *thing, size int, files []transport.File, named bool) {
	var to *net.UnixAddr
	if named {
		to = &net.UnixAddr{Name: enemyName, Net: "unixgram"}
	}
	t.conn.SetWriteDeadline(time.Now().Add(patient))
	n, err := t.conn.Send(make([]byte, size), files, to)
	if s.mind(err); n < 0 || n > size || err == nil && n != size {
		s.t.Errorf("%d of %d bytes were sent, %v", n, size, err)
	}
}

// dial makes a connection to the enemy, or a socket that is connected to it.
func (s *siege) dial(n byte) {
	if s.full() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	var c any
	var err error
	if s.typ == sock.Datagram || n&2 != 0 {
		c, err = endpoint.DialPacket(ctx, network{s}, n&1 != 0, "", enemyName, s.config(sock.Datagram))
	} else {
		c, err = endpoint.Dial(ctx, s.newPipe(false, s.typ), s.config(s.typ))
	}
	if s.mind(err); err == nil {
		s.has(c)
	}
}

// mind fails if an error is not one that a user may get: a plain errno, or a sentinel.
func (s *siege) mind(err error) {
	var errno syscall.Errno
	switch {
	case err == nil, errors.As(err, &errno):
	case slices.ContainsFunc(sentinels, func(e error) bool { return errors.Is(err, e) }):
	default:
		s.t.Errorf("an error that nobody expects: %v", err)
	}
}

var sentinels = []error{
	io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded, descriptor.ErrNotSendable, descriptor.ErrRightsTruncated,
	syscall.EPROTO,
}
