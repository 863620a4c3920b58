package winpipe

import (
	"bytes"
	"encoding/hex"
	"errors"

	"afunix/internal/sock"
)

// A sockfile is the content of a socket file. It is three lines of text, so that a person who opens
// the file sees what it is.
//
//	!<afunix socket 1>
//	stream
//	000102030405060708090a0b0c0d0e0f
//
// One whose pipe is all zeros is vacant: its listener has closed, and would have removed it if the
// system had allowed that. Nobody serves such a pipe. To bind(2) a vacant file is as good as none,
// unlike one that is left by a listener that crashed.
type sockfile struct {
	socketType sock.Type
	id         pipeID
}

// A pipeID is the random part of a pipe's name.
type pipeID [16]byte

const (
	sockfileMagic = "!<afunix socket 1>\n"
	sockfileMax   = len(sockfileMagic) + len("seqpacket\n") + 2*len(pipeID{}) + len("\n")
)

// typeNames are the second lines.
var typeNames = map[sock.Type]string{sock.Stream: "stream", sock.Datagram: "dgram", sock.Seqpacket: "seqpacket"}

// errNotSockfile: the bytes are not those of a socket file.
var errNotSockfile = errors.New("not a socket file")

// parseSockfile accepts what append makes, to the byte, and nothing else.
func parseSockfile(b []byte) (sockfile, error) {
	var s sockfile
	if len(b) > sockfileMax || !bytes.HasPrefix(b, []byte(sockfileMagic)) {
		return s, errNotSockfile
	}
	typeLine, idLine, _ := bytes.Cut(b[len(sockfileMagic):], []byte("\n"))
	for socketType, name := range typeNames {
		if name == string(typeLine) {
			s.socketType = socketType
		}
	}
	if s.socketType == 0 || len(idLine) != hex.EncodedLen(len(s.id))+1 {
		return sockfile{}, errNotSockfile
	}
	if _, err := hex.Decode(s.id[:], idLine[:len(idLine)-1]); err != nil {
		return sockfile{}, errNotSockfile
	}
	if !bytes.Equal(s.append(nil), b) { // upper-case digits, another last byte
		return sockfile{}, errNotSockfile
	}
	return s, nil
}

// append appends the file's content to b.
func (s sockfile) append(b []byte) []byte {
	b = append(b, sockfileMagic...)
	b = append(b, typeNames[s.socketType]...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, s.id[:])
	return append(b, '\n')
}

// What names consist of. The prefix is in upper case, because Wine 8 does not find some pipes
// otherwise.
const (
	device         = `\\.\PIPE\`
	prefix         = "afunix-"
	sentinelSuffix = "-listen"
)

// pipeName is the name of the pipe on which the listener serves its clients.
func (id pipeID) pipeName() string { return device + prefix + hex.EncodeToString(id[:]) }

// sentinelName is the name of the pipe that exists as long as the listener does.
func (id pipeID) sentinelName() string { return id.pipeName() + sentinelSuffix }
