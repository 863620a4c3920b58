package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"afunix"
	"afunix/cmd/afunix/internal/show"
)

// A request is what the demo asks of its receiver. Descriptors come with those that are about some.
type request struct {
	Do      string
	Address string `json:",omitempty"`
}

// What a receiver can be asked to do. It answers each request with an answer.
const (
	doUse     = "use"     // use each descriptor as what it is, and say what it saw
	doReadAll = "readall" // read a line from each, and say what all of them were, in their order
	doListen  = "listen"  // listen at Address
	doInherit = "inherit" // accept a connection there, and read the message that its sender has left behind
)

// An answer has an observation for each descriptor, or one for all of them.
type answer struct {
	Seen []observation
}

// An observation is what the receiver saw when it used a descriptor.
type observation struct {
	Kind    string // as the library calls it
	Did     string // what the receiver did with it, in words
	Saw     string // what it got out of it, and could not have got elsewhere
	Problem string `json:",omitempty"`
}

// A talk sends and receives values over a stream, each as one line of JSON.
type talk struct {
	conn           *afunix.Conn
	sent, received int // values
}

// maxLine bounds the line of a value.
const maxLine = 64 << 10

// send sends a value, and files with it.
func (t *talk) send(v any, files ...afunix.Sendable) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := t.conn.WriteMsg(append(text, '\n'), files...); err != nil {
		return err
	}
	t.sent++
	return nil
}

// receive receives a value, and what came with it, which the caller closes. The other side must
// wait for an answer before it sends its next value.
func (t *talk) receive(v any) (afunix.Rights, error) {
	var rights afunix.Rights
	var text []byte
	buf := make([]byte, maxLine)
	for !bytes.HasSuffix(text, []byte("\n")) {
		m, err := t.conn.ReadMsg(buf)
		if m.Rights.Len() > 0 {
			rights.Close()
			rights = m.Rights
		}
		text = append(text, m.Data...)
		switch {
		case err == io.EOF && len(text) > 0:
			err = io.ErrUnexpectedEOF
		case err == nil && len(text) > maxLine:
			err = errors.New("a line is too long")
		}
		if err != nil {
			rights.Close()
			return afunix.Rights{}, err
		}
	}
	if err := json.Unmarshal(text, v); err != nil {
		rights.Close()
		return afunix.Rights{}, err
	}
	t.received++
	return rights, nil
}

// answer waits for the answer to what was sent, which must have that many observations.
func (t *talk) answer(observations int) ([]observation, error) {
	var a answer
	rights, err := t.receive(&a)
	if err != nil {
		return nil, fmt.Errorf("no answer from the receiver: %w", err)
	}
	if err := rights.Close(); err != nil {
		return nil, err
	}
	if len(a.Seen) != observations {
		return nil, fmt.Errorf("the receiver reports %s, not %d", show.Plural(len(a.Seen), "observation"), observations)
	}
	return a.Seen, nil
}
