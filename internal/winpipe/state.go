package winpipe

import (
	"encoding/binary"
	"errors"
	"strings"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A sourceState is what a listener that is handed on takes along beside its handles.
//
//	offset  size
//	     0     1  version: 1
//	     1     1  socket type, as Linux numbers it
//	     2     1  1 if Close is to remove the socket file, else 0
//	     3     1  how many instances are to wait for clients
//	     4    16  the random part of the pipe's name
//	    20     2  length of the path, little-endian
//	    22     …  path of the socket file; empty for an abstract name
//	     …     2  length of the security descriptor, little-endian
//	     …     …  security descriptor (SDDL), as Listen was given it
type sourceState struct {
	socketType sock.Type
	unlink     bool
	instances  int
	id         pipeID
	path       string
	sddl       string
}

// maxInstances bounds how many instances of a pipe wait for clients at a time. They are there for
// clients that come while another one is being accepted; the backlog itself is the engine's, which
// accepts at once.
const maxInstances = 8

const (
	stateVersion = 1
	stateFixed   = 4 + len(pipeID{})
)

// errState: the bytes are not a listener's state.
var errState = errors.New("not the state of a listener")

// parseState accepts what append makes, and nothing else. It does not check that the handles and
// files that the state names exist.
func parseState(b []byte) (sourceState, error) {
	if len(b) < stateFixed || len(b) > pipe.MaxSourceState || b[0] != stateVersion || b[2] > 1 {
		return sourceState{}, errState
	}
	s := sourceState{socketType: sock.Type(b[1]), unlink: b[2] == 1, instances: int(b[3])}
	copy(s.id[:], b[4:])
	path, rest, ok := cutText(b[stateFixed:])
	if !ok {
		return sourceState{}, errState
	}
	sddl, rest, ok := cutText(rest)
	if !ok || len(rest) > 0 {
		return sourceState{}, errState
	}
	s.path, s.sddl = path, sddl
	if !s.valid() {
		return sourceState{}, errState
	}
	return s, nil
}

// valid reports whether a listener can have this state. A path is one on a drive of this machine's:
// others may lead to a machine, or a device, that a stranger chose.
func (s sourceState) valid() bool {
	return s.socketType.Valid() &&
		0 < s.instances && s.instances <= maxInstances &&
		(s.path == "" && !s.unlink || onDrive(s.path)) &&
		!strings.Contains(s.path+s.sddl, "\x00")
}

// append appends the state to b.
func (s sourceState) append(b []byte) []byte {
	unlink := byte(0)
	if s.unlink {
		unlink = 1
	}
	b = append(b, stateVersion, byte(s.socketType), unlink, byte(s.instances))
	b = append(b, s.id[:]...)
	return appendText(appendText(b, s.path), s.sddl)
}

// len is how many bytes append appends.
func (s sourceState) len() int { return stateFixed + 2 + len(s.path) + 2 + len(s.sddl) }

func appendText(b []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
}

func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// onDrive reports whether path is an absolute one that starts with a drive's letter.
func onDrive(path string) bool {
	if len(path) < 3 || path[1] != ':' || path[2] != '\\' {
		return false
	}
	letter := path[0] | 0x20
	return 'a' <= letter && letter <= 'z'
}
