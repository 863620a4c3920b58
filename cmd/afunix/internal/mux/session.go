package mux

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// helloTimeout bounds how long the other side may take to begin.
const helloTimeout = time.Minute

// A Session is one side of a pair of pipes.
type Session struct {
	role Role
	in   *bufio.Reader
	pipe pair

	// pen is held while a frame is written.
	pen     sync.Mutex
	scratch []byte

	opening sync.Mutex // streams are opened in the order of their numbers

	mu       sync.Mutex
	streams  map[uint64]*Stream
	last     uint64     // the number of the last stream that was opened
	room     *sync.Cond // there are fewer streams, or there is an err
	err      error      // why the session has ended
	accepted chan *Stream
	ended    chan struct{}
}

// A pair is a pair of pipes.
type pair struct {
	in  io.ReadCloser
	out io.WriteCloser
}

func (p pair) close() {
	p.out.Close()
	p.in.Close()
}

// New begins a session over a pair of pipes, which the session owns. It waits until the other side
// has begun.
func New(in io.ReadCloser, out io.WriteCloser, role Role) (*Session, error) {
	s := &Session{
		role:     role,
		in:       bufio.NewReaderSize(in, 64<<10),
		pipe:     pair{in, out},
		streams:  make(map[uint64]*Stream),
		accepted: make(chan *Stream, MaxStreams),
		ended:    make(chan struct{}),
	}
	s.room = sync.NewCond(&s.mu)
	if err := s.greet(); err != nil {
		s.pipe.close()
		return nil, err
	}
	go func() { s.fail(s.read()) }()
	return s, nil
}

// greet exchanges hellos. A read of standard input cannot be ended, so it may be left behind.
func (s *Session) greet() error {
	written, read := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := io.WriteString(s.pipe.out, hello(s.role))
		written <- err
	}()
	go func() { read <- readHello(s.in, s.role) }()
	late := time.NewTimer(helloTimeout)
	defer late.Stop()
	for _, done := range []chan error{read, written} { // what was read says more
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-late.C:
			return fmt.Errorf("the other side of the pipes has said nothing for %v", helloTimeout)
		}
	}
	return nil
}

// Open opens a stream, for records or not. It waits if there are as many as there may be.
func (s *Session) Open(records bool) (*Stream, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	st, err := s.add(records)
	if err != nil {
		return nil, err
	}
	return st, s.write(header{kind: open, flag: records, stream: st.id}, nil)
}

func (s *Session) add(records bool) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && len(s.streams) >= MaxStreams {
		s.room.Wait()
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.addLocked(records), nil
}

func (s *Session) addLocked(records bool) *Stream {
	s.last++
	st := newStream(s, s.last, records)
	s.streams[s.last] = st
	return st
}

// Accept waits for a stream that the other side opens. When the session has ended as it should, the
// error is net.ErrClosed.
func (s *Session) Accept() (*Stream, error) {
	select {
	case st := <-s.accepted:
		return st, nil
	case <-s.ended:
		return nil, s.Err()
	}
}

// Ended is closed when the session has ended.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Err is why the session has ended: net.ErrClosed if one of the sides has closed it, and there was
// no stream.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session, and all streams.
func (s *Session) Close() error {
	s.fail(net.ErrClosed)
	return nil
}

// fail ends the session because of the first error.
func (s *Session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	switch {
	case err == io.EOF && len(s.streams) == 0:
		err = net.ErrClosed
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the other side of the pipes has gone: %w", io.ErrUnexpectedEOF)
	}
	s.err = err
	for _, st := range s.streams {
		st.lose(err)
	}
	s.room.Broadcast()
	close(s.ended)
	s.pipe.close()
}

// write writes one frame, whose length is that of the payload.
func (s *Session) write(h header, payload []byte) error {
	s.pen.Lock()
	defer s.pen.Unlock()
	h.length = len(payload)
	s.scratch = append(h.append(s.scratch[:0]), payload...)
	if _, err := s.pipe.out.Write(s.scratch); err != nil {
		if ended := s.Err(); ended != nil {
			return ended
		}
		return fmt.Errorf("to the other side of the pipes: %w", err)
	}
	return nil
}

// read takes in frames until the session ends. It waits for nobody but the other side.
func (s *Session) read() error {
	var b [headerSize]byte
	for {
		first, err := s.in.ReadByte()
		if err != nil {
			return err // io.EOF here is the end between two frames
		}
		if k := kind(first); !k.known() { // at once: there may be no more of it
			return broken("a frame of %s", k)
		}
		b[0] = first
		if _, err := io.ReadFull(s.in, b[1:]); err != nil {
			return noEOF(err)
		}
		h, err := parseHeader(&b)
		if err != nil {
			return err
		}
		payload := newPayload(h.length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			return noEOF(err)
		}
		if err := s.take(h, payload); err != nil {
			return err
		}
	}
}

// noEOF is an error in the middle of a frame.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take takes in one frame.
func (s *Session) take(h header, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.kind == open {
		return s.opened(h)
	}
	st := s.streams[h.stream]
	switch {
	case st != nil:
		return st.take(h, payload)
	case h.stream == 0 || h.stream > s.last:
		return broken("%s of stream %d, which was never opened", h.kind, h.stream)
	case h.kind == credit || h.kind == stop:
		return nil // it was sent before the stream's end came there
	}
	return broken("%s of stream %d, which is over", h.kind, h.stream)
}

// opened takes in a new stream.
func (s *Session) opened(h header) error {
	switch {
	case s.role == Listens:
		return broken("the side that dials opens a stream")
	case h.stream != s.last+1:
		return broken("stream %d is opened, and not %d", h.stream, s.last+1)
	case len(s.streams) >= MaxStreams:
		return broken("more than %d streams", MaxStreams)
	}
	select {
	case s.accepted <- s.addLocked(h.flag):
	default: // those that wait may be over already
		return broken("more than %d streams wait", MaxStreams)
	}
	return nil
}

// forget removes a stream that is over. The caller holds mu.
func (s *Session) forget(st *Stream) {
	if st.sentLast && st.gotLast {
		delete(s.streams, st.id)
		s.room.Signal()
	}
}

func parseCredit(payload []byte) int { return int(binary.BigEndian.Uint32(payload)) }
