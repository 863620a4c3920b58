package relay

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"afunix"
)

const (
	// firstBuffer is how much is received at once to begin with. A buffer that was full is doubled,
	// up to bufferSize: many connections that say little cost little.
	firstBuffer = 4 << 10
	bufferSize  = 64 << 10
	// maxRecord bounds a record. The systems' own bounds are far lower.
	maxRecord = 16 << 20
)

// A socket is an AF_UNIX connection.
type socket struct {
	*afunix.Conn
	records bool // it is of type seqpacket or datagram
	buf     []byte
	seen    int                 // what the last receive has filled of buf
	creds   *afunix.Credentials // of what was received last, if they are known
	next    *Message            // received, but only behind another one
	mute    bool                // this process may not speak for others
	once    sync.Once
}

// Socket returns the end that c is: with descriptors and, unless it is a stream, records. The end
// owns c.
func Socket(c *afunix.Conn) End {
	askForCredentials(c)
	return &socket{Conn: c, records: c.LocalAddr().Network() != "unix", buf: make([]byte, firstBuffer)}
}

// Receive receives a record, or a part of a stream.
func (s *socket) Receive() (Message, error) {
	if s.next != nil {
		m := *s.next
		s.next = nil
		return m, nil
	}
	if s.records {
		return s.receiveRecord()
	}
	return s.receivePart()
}

// receiveRecord receives a whole record, however long. It looks at the record first: what does not
// fit into the buffer would be lost.
func (s *socket) receiveRecord() (Message, error) {
	for {
		m, err := s.PeekMsg(s.buf)
		m.Rights.Close()
		switch {
		case err != nil && !errors.Is(err, afunix.ErrRightsTruncated):
			return Message{}, err
		case !m.Truncated:
			return s.read(s.buf)
		case len(s.buf) >= maxRecord:
			return Message{}, fmt.Errorf("a record has more than %d bytes: %w", maxRecord, syscall.EMSGSIZE)
		}
		s.buf = make([]byte, 2*len(s.buf))
	}
}

// grown returns a buffer for the next receive, after one of n bytes into b.
func grown(b []byte, n int) []byte {
	if n < len(b) || n >= bufferSize {
		return b
	}
	return make([]byte, 2*len(b))
}

// read receives once.
func (s *socket) read(b []byte) (Message, error) {
	m, err := s.ReadMsg(b)
	if errors.Is(err, afunix.ErrRightsTruncated) {
		err = fmt.Errorf("%w: this process may not open more files", err)
	}
	if err != nil {
		m.Rights.Close()
		return Message{}, err
	}
	s.creds = m.Credentials
	if m.Rights.Len() == 0 {
		return Message{Data: m.Data, from: m.From, creds: s.creds}, nil
	}
	rights, err := take(m.Rights)
	return Message{m.Data, rights, m.From, s.creds}, err
}

// Send sends the message as one, with the credentials of its sender where that may be done.
func (s *socket) Send(m Message) error {
	if m.creds != nil && !s.mute && s.Transport() == afunix.KernelTransport {
		if sent, err := s.sendFor(m); sent || err != nil {
			return err
		}
	}
	_, err := s.WriteMsg(m.Data, m.files()...)
	return err
}

// CloseWrite shuts the direction down. To a pipe of another program that may not be possible: then
// the end of both directions is its end.
func (s *socket) CloseWrite() { _ = s.Conn.CloseWrite() }

// CloseRead shuts the direction down.
func (s *socket) CloseRead() { _ = s.Conn.CloseRead() }

// Close closes the connection. AF_UNIX has no way to tell the peer why.
func (s *socket) Close(error) {
	s.once.Do(func() { s.Conn.Close() })
}

// takesEmpty reports whether a write of no bytes succeeds, where that sends nothing: a record of no
// bytes would be one, and to another program's pipe it may be the end.
func (s *socket) takesEmpty() bool {
	if s.records || s.Transport() == afunix.PlainTransport {
		return true
	}
	_, err := s.Write(nil)
	return err == nil
}
