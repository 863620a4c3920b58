package mux

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A Role is which side of a session this is.
type Role string

// The roles.
const (
	Listens Role = "listen" // opens streams
	Dials   Role = "dial"   // accepts them
)

const (
	greeting = "afunix-mux/"
	version  = "1"
	maxHello = 64
)

// hello is the line with which a side begins.
func hello(r Role) string { return greeting + version + " " + string(r) + "\n" }

// other is the role of the other side.
func (r Role) other() Role {
	if r == Listens {
		return Dials
	}
	return Listens
}

// readHello reads the other side's line. It stops where that is no such line, and says what is
// there.
func readHello(in *bufio.Reader, mine Role) error {
	line, err := readLine(in)
	said, rest, _ := strings.Cut(line, " ")
	switch {
	case strings.HasPrefix(line, greeting) && err != nil, line == "" && err != nil:
		return fmt.Errorf("the other side has ended before it said anything: %w", err)
	case !strings.HasPrefix(line, greeting):
		return broken("it says %q", line)
	case said != greeting+version:
		return broken("it speaks version %.9q, and this side version %q", strings.TrimPrefix(said, greeting), version)
	case Role(rest) == mine:
		return broken("both sides %s", mine)
	case Role(rest) != mine.other():
		return broken("it says %q", line)
	}
	return nil
}

// readLine reads up to the end of a line. Of one that cannot be a greeting it returns what has come
// at once, so that nobody waits for its end.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxHello {
		c, err := in.ReadByte()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return string(line), err
		}
		if c == '\n' {
			break
		}
		line = append(line, c)
		if n := min(len(line), len(greeting)); string(line[:n]) != greeting[:n] {
			more, _ := in.Peek(min(in.Buffered(), maxHello-len(line)))
			line = append(line, more...)
			break
		}
	}
	return string(line), nil
}
