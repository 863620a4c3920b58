// Package wire is the packet format of the pipe transport: bytes in, values out. docs/PROTOCOL.md
// describes every byte.
//
// A packet is header, name, ancillary block and payload, in that order. All numbers are
// little-endian. Nothing in a packet is believed before it has been bounded: Parse either returns a
// packet whose every length and count fits, or an error that wraps ErrMalformed.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"afunix/internal/sock"
)

// Limits of the format.
const (
	MaxRecords   = sock.MaxRights // records in one packet (S3)
	MaxRecord    = 128            // one record
	MaxAncillary = MaxRecords * MaxRecord
	MaxName      = 108 // sun_path; an abstract name includes its leading NUL, written as '@'
	HeaderLen    = 16
	// MaxPayload is what fits beside nothing but the header: 64 KiB, so that a write of this common
	// size is one packet.
	MaxPayload = 64 << 10
	// MaxPacket is a packet, header included (S2).
	MaxPacket = HeaderLen + MaxPayload
	// MinPayload always fits, beside a full set of the largest records and the longest name (S2).
	MinPayload = sock.MinPiece
)

// S2 and S3, proved when this is compiled: the ancillary block of a full set takes at most 32 KiB,
// and MinPayload fits beside it.
const (
	_ uint = 32<<10 - MaxAncillary
	_ uint = MaxPacket - HeaderLen - MaxName - MaxAncillary - MinPayload
)

// ErrMalformed is what every error of this package wraps.
var ErrMalformed = errors.New("malformed packet")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Type is the type of a packet. Admin packets have the high bit set (S6).
type Type uint8

// The types.
const (
	Data     Type = 0x01 // a message of the user's, or a piece of one
	Hello    Type = 0x81 // the first packet of either side
	Ready    Type = 0x82 // the client's answer to the server's hello
	Ack      Type = 0x83 // messages with descriptors have been adopted, and shutdowns seen, up to Serial
	Credit   Type = 0x84 // what the receiver has consumed, and how many descriptors it takes
	Shutdown Type = 0x85 // a direction has been shut down
	Options  Type = 0x86 // the sender's buffer size, its wish for credentials or its name has changed
	Bye      Type = 0x88 // the sender has been closed
	Move     Type = 0x89 // the sender's end moves to another process (P8)
	Refuse   Type = 0x8a // the datagrams up to Serial that have not been acknowledged have not been queued
	Cancel   Type = 0x8b // the sender does not wait for room for the datagram Serial any longer
)

// Admin reports whether packets of type t are the transport's own.
func (t Type) Admin() bool { return t&0x80 != 0 }

// Flags of a Data packet.
const (
	More        uint8 = 1 << iota // further pieces of this message follow
	Continued                     // not the first piece of its message
	Credentials                   // the message carries its sender's credentials (SO_PASSCRED)
	Luggage                       // in front of the message: what its ends take along that move (P8)
)

// Flags of a Move packet.
const (
	Itself uint8 = 1 << iota // the end goes over itself: the receiver says nothing but acknowledgements until it is Gone
	Gone                     // … and its former owner does not read any more
)

// Flags of a Hello packet.
const (
	FromServer uint8 = 1 << iota // it answers the client's
	Moved                        // the end has been handed to the process that says this hello (P2, P8)
)

// PassCredentials is a flag of a Hello and of an Options packet: its sender wants messages to carry
// credentials.
const PassCredentials uint8 = 1 << 7

// Flags of a Shutdown packet.
const (
	ShutRead  uint8 = 1 << iota // the sender of this packet will not read any more
	ShutWrite                   // … will not write any more
)

// Flags of a Bye packet.
const (
	Reset uint8 = 1 << iota // something was left unread: the other side reads ECONNRESET after its data
)

// shape is what a packet of a type may look like.
type shape struct {
	flags   uint8 // that may be set
	payload int   // length; -1: any
	name    bool  // may carry a name
	serial  bool  // may carry a serial number
}

func shapeOf(t Type) (shape, bool) {
	switch t {
	case Data:
		return shape{flags: More | Continued | Credentials | Luggage, payload: -1, name: true, serial: true}, true
	case Hello:
		return shape{flags: FromServer | Moved | PassCredentials, payload: -1, name: true}, true
	case Ready:
		return shape{payload: 1}, true
	case Ack:
		return shape{serial: true}, true
	case Credit:
		return shape{payload: creditLen}, true
	case Shutdown:
		return shape{flags: ShutRead | ShutWrite, serial: true}, true
	case Options:
		return shape{flags: PassCredentials, payload: optionsLen, name: true, serial: true}, true
	case Bye:
		return shape{flags: Reset}, true
	case Move:
		return shape{flags: Itself | Gone, serial: true}, true
	case Refuse:
		return shape{flags: Stranger | Closing, serial: true}, true
	case Cancel:
		return shape{serial: true}, true
	}
	return shape{}, false
}

// Flags of a Refuse packet.
const (
	Stranger uint8 = 1 << iota // the receiver is connected to somebody else: EPERM
	Closing                    // the receiver is being closed: ECONNREFUSED; without either it has shut down reading: EPIPE
)

// A Packet is one packet. Its slices are parts of the bytes it was parsed from.
type Packet struct {
	Type      Type
	Flags     uint8
	Records   int    // how many records there are in Ancillary
	Serial    uint64 // the number of a message that will be acknowledged; 0: it will not be
	Name      []byte
	Ancillary []byte // the records: see NextRecord
	Payload   []byte
}

// Parse takes a packet apart. It checks everything that can be checked without knowing the
// connection.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderLen {
		return Packet{}, malformed("%d bytes are no header", len(b))
	}
	if len(b) > MaxPacket {
		return Packet{}, malformed("%d bytes are too many", len(b))
	}
	p := Packet{
		Type:    Type(b[0]),
		Flags:   b[1],
		Records: int(b[2]),
		Serial:  binary.LittleEndian.Uint64(b[8:]),
	}
	name, anc := int(b[3]), int(binary.LittleEndian.Uint16(b[4:]))
	if reserved := binary.LittleEndian.Uint16(b[6:]); reserved != 0 {
		return Packet{}, malformed("reserved field is %#x", reserved)
	}
	b = b[HeaderLen:]
	if name > MaxName || name > len(b) {
		return Packet{}, malformed("name of %d bytes", name)
	}
	p.Name, b = b[:name:name], b[name:]
	if anc > MaxAncillary || anc > len(b) {
		return Packet{}, malformed("ancillary block of %d bytes", anc)
	}
	p.Ancillary, p.Payload = b[:anc:anc], b[anc:]
	if err := p.check(); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// Bare reports whether b is a packet of the user's data, and no luggage, that has nothing between
// its header and its payload. Only the header is looked at.
func Bare(b []byte) bool {
	return len(b) >= HeaderLen && Type(b[0]) == Data && b[1]&Luggage == 0 && b[3] == 0 && b[4] == 0 && b[5] == 0
}

// check holds the packet against the shape of its type, and walks its records.
func (p *Packet) check() error {
	s, known := shapeOf(p.Type)
	switch {
	case !known:
		return malformed("unknown type %#x", uint8(p.Type))
	case p.Flags&^s.flags != 0:
		return malformed("type %#x with flags %#x", uint8(p.Type), p.Flags)
	case p.Records > MaxRecords:
		return malformed("%d records", p.Records)
	case p.Records > 0 && p.Type != Data:
		return malformed("type %#x with records", uint8(p.Type))
	case p.Records > 0 && p.Serial == 0:
		return malformed("records without a serial number")
	case p.Records > 0 && p.Flags&Continued != 0:
		return malformed("records in a later piece")
	case p.Type == Data && p.Flags&Luggage != 0 && (p.Flags&(More|Continued) != 0 || p.Serial == 0 || len(p.Name) > 0):
		return malformed("luggage with flags %#x, serial number %d and a name of %d bytes", p.Flags, p.Serial, len(p.Name))
	case p.Serial != 0 && !s.serial:
		return malformed("type %#x with a serial number", uint8(p.Type))
	case len(p.Name) > 0 && !s.name:
		return malformed("type %#x with a name", uint8(p.Type))
	case s.payload >= 0 && len(p.Payload) != s.payload:
		return malformed("type %#x with %d bytes of payload", uint8(p.Type), len(p.Payload))
	}
	rest := p.Ancillary
	for range p.Records {
		var err error
		if _, rest, err = ParseRecord(rest); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return malformed("%d bytes after the last record", len(rest))
	}
	return nil
}

// HeadLen returns the length of everything but the payload.
func (p *Packet) HeadLen() int { return HeaderLen + len(p.Name) + len(p.Ancillary) }

// AppendHead appends everything but the payload, which a pipe takes separately.
func (p *Packet) AppendHead(b []byte) []byte {
	b = append(b, byte(p.Type), p.Flags, byte(p.Records), byte(len(p.Name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Ancillary)))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, p.Serial)
	b = append(b, p.Name...)
	return append(b, p.Ancillary...)
}

// Append appends the whole packet.
func (p *Packet) Append(b []byte) []byte { return append(p.AppendHead(b), p.Payload...) }

// Len returns the length of the whole packet.
func (p *Packet) Len() int { return p.HeadLen() + len(p.Payload) }
