package relay

import (
	"errors"

	"afunix"
)

// receivePart receives what a stream has: plain bytes, or descriptors with the bytes that they were
// sent with.
//
// A receive joins plain bytes with the message behind them, descriptors included, and looking does
// not tell where that begins (unix_stream_read_generic, and the pipe transport as well). A relay
// that passed on all of that as one message would have moved the descriptors to the plain bytes. A
// program that takes those with read(2), because its protocol has none there, would lose the
// descriptors. So if looking shows descriptors, the bytes up to them are taken one by one. Mostly
// there is none.
func (s *socket) receivePart() (Message, error) {
	s.buf = grown(s.buf, s.seen)
	if !joins(s.Transport()) {
		m, err := s.read(s.buf)
		s.seen = len(m.Data)
		return m, err
	}
	n, rights, err := s.look()
	s.seen = n
	if err != nil {
		return Message{}, err
	}
	if !rights {
		return s.read(s.buf[:n])
	}
	for i := range n {
		m, err := s.read(s.buf[i : i+1])
		if err != nil {
			return Message{}, err
		}
		if len(m.Rights) > 0 {
			return s.complete(m, i, n)
		}
	}
	return Message{Data: s.buf[:n], creds: s.creds}, nil // they come with later bytes
}

// look reports how many bytes a receive would give, and whether there are descriptors among them
// or behind them.
func (s *socket) look() (n int, rights bool, err error) {
	m, err := s.PeekMsg(s.buf)
	rights = m.Rights.Len() > 0
	m.Rights.Close()
	if errors.Is(err, afunix.ErrRightsTruncated) { // there was no room for duplicates of them
		rights, err = true, nil
	}
	return len(m.Data), rights, err
}

// complete reads what is left of the message m, whose descriptors came with byte i: looking showed
// n bytes, and a receive goes no further than the end of such a message. The plain bytes in front
// go first.
func (s *socket) complete(m Message, i, n int) (Message, error) {
	if i+1 < n {
		rest, err := s.read(s.buf[i+1 : n])
		if err != nil {
			m.Close()
			return Message{}, err
		}
		n = i + 1 + len(rest.Data)
		m.Rights = append(m.Rights, rest.Rights...) // there are none
	}
	m.Data = s.buf[i:n]
	if i == 0 {
		return m, nil
	}
	s.next = &m
	return Message{Data: s.buf[:i], creds: s.creds}, nil
}
