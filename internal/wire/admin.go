package wire

import "encoding/binary"

const (
	magic = 0x58554641 // "AFUX"
	// Version is that of this format. A hello of another version is refused.
	Version = 1

	helloLen   = 32
	creditLen  = 16
	optionsLen = 4
	// MaxProof bounds the proof in a hello.
	MaxProof = 64
)

// A Status is how a server answers a hello.
type Status uint8

// The statuses. Those but OK end the connection.
const (
	OK           Status = iota
	Full                // the backlog is full: EAGAIN
	WrongType           // the socket is of another type: EPROTOTYPE
	Refused             // the peer is not allowed in: ECONNREFUSED
	NotPermitted        // the socket is connected to another one: EPERM
	statuses
)

// HelloBody is the payload of a Hello packet; the name that its sender is bound to is the packet's.
type HelloBody struct {
	SocketType uint8  // 1 stream, 2 datagram, 5 seqpacket
	Ability    uint8  // of the server over the client; 0 in the client's hello
	Status     Status // OK in the client's hello
	Window     uint32 // the sender's buffer size in bytes (SO_SNDBUF)
	Rights     uint64 // how many descriptors its sender will take, all in all, until it says more by a Credit
	Socket     uint64 // a random number that tells its sender's socket from others
	Proof      []byte // what the other side finds the sender's process by; at most MaxProof bytes
}

// ParseHello reads the payload of a Hello packet.
func ParseHello(b []byte) (HelloBody, error) {
	if len(b) < helloLen {
		return HelloBody{}, malformed("hello of %d bytes", len(b))
	}
	if m := binary.LittleEndian.Uint32(b); m != magic {
		return HelloBody{}, malformed("hello begins with %#x: not a peer of ours", m)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != Version {
		return HelloBody{}, malformed("hello of version %d", v)
	}
	h := HelloBody{
		SocketType: b[6],
		Ability:    b[7],
		Status:     Status(b[8]),
		Window:     binary.LittleEndian.Uint32(b[12:]),
		Rights:     binary.LittleEndian.Uint64(b[16:]),
		Socket:     binary.LittleEndian.Uint64(b[24:]),
		Proof:      b[helloLen:],
	}
	switch {
	case h.Status >= statuses:
		return HelloBody{}, malformed("hello with status %d", h.Status)
	case int(b[9]) != len(h.Proof) || len(h.Proof) > MaxProof:
		return HelloBody{}, malformed("hello with a proof of %d bytes", len(h.Proof))
	case b[10] != 0 || b[11] != 0:
		return HelloBody{}, malformed("hello with reserved bytes set")
	}
	return h, nil
}

// Append appends the payload.
func (h HelloBody) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, magic)
	b = binary.LittleEndian.AppendUint16(b, Version)
	b = append(b, h.SocketType, h.Ability, byte(h.Status), byte(len(h.Proof)), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, h.Window)
	b = binary.LittleEndian.AppendUint64(b, h.Rights)
	b = binary.LittleEndian.AppendUint64(b, h.Socket)
	return append(b, h.Proof...)
}

// Len returns the length of the payload.
func (h HelloBody) Len() int { return helloLen + len(h.Proof) }

// CreditBody is the payload of a Credit packet. Both numbers are totals since the hello, so that
// one packet says all that its predecessors said.
type CreditBody struct {
	Consumed uint64 // cost of what has been read: see package sock
	Rights   uint64 // descriptors that the other side may send, all in all
}

// ParseCredit reads the payload of a Credit packet.
func ParseCredit(b []byte) (CreditBody, error) {
	if len(b) != creditLen {
		return CreditBody{}, malformed("credit of %d bytes", len(b))
	}
	return CreditBody{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}, nil
}

// Append appends the payload.
func (c CreditBody) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, c.Consumed)
	return binary.LittleEndian.AppendUint64(b, c.Rights)
}

// Len returns the length of the payload.
func (c CreditBody) Len() int { return creditLen }

// ParseOptions reads the payload of an Options packet: the sender's buffer size in bytes.
func ParseOptions(b []byte) (window uint32, err error) {
	if len(b) != optionsLen {
		return 0, malformed("options of %d bytes", len(b))
	}
	return binary.LittleEndian.Uint32(b), nil
}

// AppendOptions appends the payload of an Options packet.
func AppendOptions(b []byte, window uint32) []byte {
	return binary.LittleEndian.AppendUint32(b, window)
}
