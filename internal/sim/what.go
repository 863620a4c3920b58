package sim

import (
	"fmt"
	"strconv"

	"afunix/internal/wire"
)

// What somebody does is put into words when somebody wants to read it: a trace is shown once in
// many thousand worlds. Two that are equal do the same.
type what fmt.Stringer

// A word says it all.
type word string

func (w word) String() string { return string(w) }

// A deed is done with a pipe.
type deed struct {
	before string
	on     int // its number
	after  string
}

func (d deed) String() string { return d.before + strconv.Itoa(d.on) + d.after }

// A said is what a program says of its next thing, or of how it went.
type said struct {
	name     string // of its socket
	text     string
	sent     bool // so many bytes, or it failed
	received bool // … and so many descriptors
	n, m     int
	err      error
}

func (s *said) String() string {
	text := "program " + s.name + ": " + s.text
	switch {
	case s.sent:
		return text + fmt.Sprintf("sent %d, %v", s.n, s.err)
	case s.received:
		return text + fmt.Sprintf("received %d bytes, %d descriptors, %v", s.n, s.m, s.err)
	}
	return text
}

// A passage is that of a packet.
type passage struct {
	verb    string
	on      int
	packet  wire.Packet // without what it brings
	payload int
	length  int // of one that is malformed, else 0
}

// passing describes a packet that is read or written.
func passing(verb string, on *messagePipe, data []byte) *passage {
	p, err := wire.Parse(data)
	if err != nil {
		return &passage{verb: verb, on: on.number, length: len(data)}
	}
	t := &passage{verb: verb, on: on.number, packet: p, payload: len(p.Payload)}
	t.packet.Name, t.packet.Ancillary, t.packet.Payload = nil, nil, nil
	return t
}

func (t *passage) String() string {
	text, p := t.verb+" "+strconv.Itoa(t.on)+": ", &t.packet
	if t.length > 0 {
		return text + fmt.Sprintf("malformed, %d bytes", t.length)
	}
	text += packetNames[p.Type]
	if p.Type == wire.Data {
		text += " of " + strconv.Itoa(t.payload) + " bytes"
	}
	if p.Records > 0 {
		text += ", " + strconv.Itoa(p.Records) + " descriptors"
	}
	if p.Serial > 0 {
		text += ", serial " + strconv.FormatUint(p.Serial, 10)
	}
	if p.Flags != 0 {
		text += fmt.Sprintf(", flags %#x", p.Flags)
	}
	return text
}

var packetNames = map[wire.Type]string{
	wire.Data: "data", wire.Hello: "hello", wire.Ready: "ready", wire.Ack: "ack", wire.Credit: "credit", wire.Shutdown: "shutdown",
	wire.Options: "options", wire.Bye: "bye", wire.Move: "move", wire.Refuse: "refuse", wire.Cancel: "cancel",
}
