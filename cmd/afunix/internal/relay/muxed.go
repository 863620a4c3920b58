package relay

import (
	"context"
	"fmt"
	"syscall"

	"afunix/cmd/afunix/internal/mux"
)

// A muxed is a stream of a session.
type muxed struct {
	*mux.Stream
	buf []byte // a record that came in pieces
}

// Muxed returns the end that the stream is.
func Muxed(st *mux.Stream) End { return &muxed{Stream: st} }

// Receive receives bytes, or a record.
func (m *muxed) Receive() (Message, error) {
	data, more, err := m.Stream.Receive()
	if !more || err != nil {
		return Message{Data: data}, err
	}
	m.buf = append(m.buf[:0], data...)
	for more {
		data, more, err = m.Stream.Receive()
		if err != nil {
			return Message{}, err
		}
		if m.buf = append(m.buf, data...); len(m.buf) > maxRecord {
			return Message{}, fmt.Errorf("a record has more than %d bytes: %w", maxRecord, syscall.EMSGSIZE)
		}
	}
	return Message{Data: m.buf}, nil
}

// Send sends bytes, or a record. Descriptors are an error.
func (m *muxed) Send(msg Message) error {
	if len(msg.Rights) > 0 {
		return cannotPass(msg, "the pair of pipes")
	}
	return m.Stream.Send(msg.Data)
}

// MuxSource is the Source of the streams that the other side of a session opens.
type MuxSource struct {
	Session *mux.Session
	Records bool // of the target: streams of another type are turned away
	Log     func(line string)
}

// Accept waits for a stream.
func (s *MuxSource) Accept() (End, string, error) {
	for {
		st, err := s.Session.Accept()
		if err != nil {
			return nil, "", err
		}
		if st.Records() == s.Records {
			return Muxed(st), "the other side", nil
		}
		err = fmt.Errorf("LISTEN has %s and TARGET has %s", describeType(st.Records()), describeType(s.Records))
		st.Close(err)
		s.Log("a connection from the other side: " + err.Error())
	}
}

func describeType(records bool) string {
	if records {
		return "records"
	}
	return "a stream"
}

// Close ends the session.
func (s *MuxSource) Close() error { return s.Session.Close() }

// MuxTarget is the Target of streams that this side of a session opens.
type MuxTarget struct {
	Session *mux.Session
	Records bool
}

// Dial opens a stream.
func (t *MuxTarget) Dial(context.Context) (End, error) {
	st, err := t.Session.Open(t.Records)
	if err != nil {
		return nil, err
	}
	return Muxed(st), nil
}

// String is where the streams go.
func (t *MuxTarget) String() string { return "the other side" }

// MuxListener is a Source that ends with the session that its clients go to.
type MuxListener struct {
	Source
	Session *mux.Session
}

// Accept waits for a client. If the session has ended, its error is that of Accept.
func (l *MuxListener) Accept() (End, string, error) {
	e, who, err := l.Source.Accept()
	if ended := l.Session.Err(); err != nil && ended != nil {
		err = ended
	}
	return e, who, err
}

// Watch closes the source when the session ends.
func (l *MuxListener) Watch() {
	<-l.Session.Ended()
	l.Source.Close()
}
