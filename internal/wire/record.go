package wire

import "encoding/binary"

// Owner says where the descriptor of a record is to be found.
type Owner uint8

// The owners.
const (
	Sender   Owner = iota // Value counts in the sender's table: the receiver pulls it
	Receiver              // Value counts in the receiver's table already: the sender pushed it
	Exported              // Extra describes a socket that was duplicated for the receiver
	End                   // an end of the pipe transport that moves (P8): Value counts where the route says, and its state is luggage
	owners
)

// A Record stands for one descriptor in the ancillary block of a packet.
type Record struct {
	Kind  uint8 // a descriptor.Kind
	Owner Owner
	Value uint64
	Extra []byte // Exported: the description of the socket
}

const (
	recordLen = 12
	// MaxExtra is the room for the description of a socket: the part of a WSAPROTOCOL_INFOW that
	// carries anything.
	MaxExtra = MaxRecord - recordLen
)

// ParseRecord takes the first record off b.
func ParseRecord(b []byte) (Record, []byte, error) {
	if len(b) < recordLen {
		return Record{}, nil, malformed("%d bytes are no record", len(b))
	}
	r := Record{Kind: b[0], Owner: Owner(b[1]), Value: binary.LittleEndian.Uint64(b[4:])}
	extra := int(binary.LittleEndian.Uint16(b[2:]))
	b = b[recordLen:]
	switch {
	case r.Owner >= owners:
		return Record{}, nil, malformed("record with owner %d", r.Owner)
	case extra > MaxExtra || extra > len(b):
		return Record{}, nil, malformed("record with %d further bytes", extra)
	case (extra > 0) != (r.Owner == Exported):
		return Record{}, nil, malformed("record with owner %d and %d further bytes", r.Owner, extra)
	case r.Owner == Exported && r.Value != 0:
		return Record{}, nil, malformed("exported socket with value %#x", r.Value)
	}
	r.Extra = b[:extra:extra]
	return r, b[extra:], nil
}

// Append appends the record.
func (r Record) Append(b []byte) []byte {
	b = append(b, r.Kind, byte(r.Owner))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Extra)))
	b = binary.LittleEndian.AppendUint64(b, r.Value)
	return append(b, r.Extra...)
}

// Len returns the length of the record.
func (r Record) Len() int { return recordLen + len(r.Extra) }
