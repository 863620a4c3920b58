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
//	     0     1  version: 1, or 2 with a public name
//	     1     1  socket type, as Linux numbers it
//	     2     1  1 if Close is to remove the socket file, else 0
//	     3     1  how many instances are to wait for clients
//	     4    16  the random part of the pipe's name
//	    20     2  length of the path, little-endian
//	    22     …  path of the socket file; empty for an abstract name
//	     …     2  length of the security descriptor, little-endian
//	     …     …  security descriptor (SDDL), as Listen was given it
//
// With a public name there is no path, and these follow:
//
//	…     1  how many instances of the public pipe are to wait for clients
//	…     1  how many of the handles are instances of the private pipe; those of the public
//	         one are behind them
//	…     2  length of the public name, little-endian
//	…     …  public name, without what is in front of it
type sourceState struct {
	socketType sock.Type
	unlink     bool
	instances  int
	id         pipeID
	path       string
	sddl       string

	guests  int
	handles int // only with a public name
	public  string
}

// maxInstances bounds how many instances of a pipe wait for clients at a time. They are there for
// clients that come while another one is being accepted; the backlog itself is the engine's, which
// accepts at once.
const maxInstances = 8

// maxGuests is the same for a public pipe, where a client that finds no instance may not wait for
// one, but fail with ERROR_PIPE_BUSY. So many clients can come between two turns of the thread that
// waits for them, and none is told so. There is room for as many again in [pipe.MaxHandles].
const maxGuests = 100

// maxPipeName is how many units of UTF-16 the name of a pipe has at most (CreateNamedPipe,
// Microsoft: 256 with what is in front of it).
const maxPipeName = 256

const (
	stateVersion  = 1
	publicVersion = 2
	stateFixed    = 4 + len(pipeID{})
	publicFixed   = 2
)

// errState: the bytes are not a listener's state.
var errState = errors.New("not the state of a listener")

// parseState accepts what append makes, and nothing else. It does not check that the handles and
// files that the state names exist.
func parseState(b []byte) (sourceState, error) {
	if len(b) < stateFixed || len(b) > pipe.MaxSourceState || b[0] != stateVersion && b[0] != publicVersion || b[2] > 1 {
		return sourceState{}, errState
	}
	s := sourceState{socketType: sock.Type(b[1]), unlink: b[2] == 1, instances: int(b[3])}
	copy(s.id[:], b[4:])
	path, rest, ok := cutText(b[stateFixed:])
	if !ok {
		return sourceState{}, errState
	}
	sddl, rest, ok := cutText(rest)
	if !ok {
		return sourceState{}, errState
	}
	s.path, s.sddl = path, sddl
	if b[0] == publicVersion {
		rest, ok = s.parsePublic(rest)
		ok = ok && s.public != ""
	}
	if !ok || len(rest) > 0 || !s.valid() {
		return sourceState{}, errState
	}
	return s, nil
}

// parsePublic takes in what follows with a public name.
func (s *sourceState) parsePublic(b []byte) (rest []byte, ok bool) {
	if len(b) < publicFixed {
		return nil, false
	}
	s.guests, s.handles = int(b[0]), int(b[1])
	s.public, rest, ok = cutText(b[publicFixed:])
	return rest, ok
}

// valid reports whether a listener can have this state. A path is one on a drive of this machine's:
// others may lead to a machine, or a device, that a stranger chose.
func (s sourceState) valid() bool {
	return s.socketType.Valid() &&
		0 < s.instances && s.instances <= maxInstances &&
		(s.path == "" && !s.unlink || onDrive(s.path)) &&
		!strings.Contains(s.path+s.sddl+s.public, "\x00") &&
		(s.public == "" || s.validPublic())
}

// validPublic reports whether a listener at a public name can have this state: the private pipe is
// the one beside it.
func (s sourceState) validPublic() bool {
	return s.socketType == sock.Stream && s.path == "" &&
		0 < s.guests && s.guests <= maxGuests && s.handles <= s.instances &&
		len(s.public) <= maxPipeName && !strings.Contains(s.public, "/") &&
		s.id == publicID(s.public, s.socketType)
}

// fits reports whether a listener with this state can be made of n handles: the sentinel,
// instances of the private pipe, and with a public name any number of its instances.
func (s sourceState) fits(n int) bool {
	if s.public == "" {
		return 1 <= n && n <= 1+s.instances
	}
	return 1+s.handles <= n && n <= pipe.MaxHandles
}

// append appends the state to b.
func (s sourceState) append(b []byte) []byte {
	unlink := byte(0)
	if s.unlink {
		unlink = 1
	}
	version := byte(stateVersion)
	if s.public != "" {
		version = publicVersion
	}
	b = append(b, version, byte(s.socketType), unlink, byte(s.instances))
	b = append(b, s.id[:]...)
	b = appendText(appendText(b, s.path), s.sddl)
	if s.public == "" {
		return b
	}
	return appendText(append(b, byte(s.guests), byte(s.handles)), s.public)
}

// len is how many bytes append appends.
func (s sourceState) len() int {
	n := stateFixed + 2 + len(s.path) + 2 + len(s.sddl)
	if s.public != "" {
		n += publicFixed + 2 + len(s.public)
	}
	return n
}

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
