package winpipe

import (
	"encoding/binary"
	"syscall"
)

// A proof is what a process puts into its hello: where to find the process, and an event in its
// handle table. Nobody but this process can have meant other processes to ask for that event. A
// process that has opened this one takes a duplicate of the event, and then sees whether this
// process can set the event.
//
//	offset  size
//	     0     4  process number, little-endian
//	     4     4  event handle, little-endian (handles have 32 significant bits)
type proof struct {
	pid   uint32
	event uint32
}

const proofLen = 8

func parseProof(b []byte) (proof, error) {
	if len(b) != proofLen {
		return proof{}, syscall.EPROTO
	}
	return proof{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}, nil
}

func (p proof) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, p.pid), p.event)
}
