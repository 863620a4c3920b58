// Package relay passes everything that is sent over one connection on to another, both ways:
// bytes, the boundaries of records, descriptors, and the end of each direction.
//
// A connection is an [End]. [Join] connects two of them. A [Server] takes clients from a [Source],
// and joins each to an end that a [Target] gives.
//
// Of each direction there is one message in flight: what has been received is sent before more is
// received. So bytes and descriptors keep their order, and a receiver that stalls stalls its
// sender.
package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"afunix"
)

// A Message is what one receive gives and one send takes.
type Message struct {
	Data   []byte
	Rights []Right
	from   *net.UnixAddr       // of a datagram, if its sender has a name
	creds  *afunix.Credentials // of the sender, if they are known
}

// files returns the descriptors in the form that WriteMsg takes.
func (m Message) files() []afunix.Sendable {
	if len(m.Rights) == 0 {
		return nil
	}
	files := make([]afunix.Sendable, len(m.Rights))
	for i, r := range m.Rights {
		files[i] = r.Sendable
	}
	return files
}

// Close closes the relay's own copies of the descriptors.
func (m Message) Close() {
	for _, r := range m.Rights {
		r.close()
	}
}

// An End is a connection of the relay, to a client or to a target. One goroutine receives and
// another one sends. The others of its methods may be called at any time, and more than once.
type End interface {
	// Receive waits for what the peer sends next. The message is good until the next call, and its
	// descriptors are the caller's to close. When the peer sends no more, the error is io.EOF.
	Receive() (Message, error)
	// Send waits until there is room for the message.
	Send(Message) error
	// CloseWrite tells the peer that no more comes.
	CloseWrite()
	// CloseRead tells the peer, where there is a way, that nothing more is taken. A Receive that
	// waits gets io.EOF.
	CloseRead()
	// Takes reports whether the peer takes what is sent, as far as can be told without sending.
	Takes() bool
	// Close ends the connection. The cause, if not nil, is an error that the peer is told of where
	// there is a way.
	Close(cause error)
}

// Traffic is what has gone in one direction.
type Traffic struct {
	Bytes  int64
	Rights int
}

// Join passes on what comes from each of two ends to the other, until both directions have ended,
// and closes them. What came from a is up, what came from b is down. The error is the one that kept
// something from arriving.
func Join(a, b End) (up, down Traffic, err error) {
	j := &join{a: a, b: b}
	var wg sync.WaitGroup
	wg.Go(func() { j.note(pass(b, a, &up)) })
	wg.Go(func() { j.note(pass(a, b, &down)) })
	wg.Wait()
	a.Close(j.err)
	b.Close(j.err)
	return up, down, j.err
}

// A join is what the two directions have in common.
type join struct {
	a, b End
	mu   sync.Mutex
	err  error // the one that says most
}

// note takes in how a direction has ended. That a peer takes no more is the end of that direction
// alone; any other error is the end of both.
func (j *join) note(err error) {
	if err == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil || gone(j.err) && !gone(err) {
		j.err = err
	}
	if !gone(err) {
		j.a.Close(j.err)
		j.b.Close(j.err)
	}
}

// pass passes on what comes from one end to another, until that direction ends.
func pass(to, from End, t *Traffic) error {
	for {
		m, err := from.Receive()
		switch {
		case err == io.EOF:
			// First of all that nothing more is taken: a peer that sees the end may try at once.
			if !from.Takes() {
				to.CloseRead()
			}
			to.CloseWrite()
			return nil
		case err != nil:
			to.CloseRead()
			to.CloseWrite()
			return err
		}
		err = to.Send(m)
		m.Close()
		if err != nil {
			from.CloseRead()
			return err
		}
		t.Bytes += int64(len(m.Data))
		t.Rights += len(m.Rights)
	}
}

// gone reports whether an error says that the peer has gone, or takes no more.
func gone(err error) bool {
	for _, e := range []error{syscall.EPIPE, syscall.ECONNRESET, syscall.ENOTCONN, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
