package sock

// Rights are the descriptors of one message. The Inbox owns them while they are queued, and never
// closes any: see Discarded.
type Rights interface {
	Len() int
	Discard()
}

// A Buffer is where the bytes of a Segment live. It is released when they have been read.
type Buffer interface{ Release() }

// A Segment is what one packet brought: for a stream some bytes, for the other types a message or a
// piece of one.
type Segment struct {
	Data      []byte
	Buffer    Buffer // nil if Data needs no release
	Rights    Rights // nil if there are none
	Lost      bool   // descriptors came, but could not be installed
	Creds     uint32 // whose credentials it carries: a number that the owner of the Inbox gives; 0: nobody's
	More      bool   // further pieces of the message follow (never on a stream)
	Continued bool   // not the first piece (never on a stream)
	Placed    int    // so much of Data is in the buffer of the Read that waits already: see Unplace

	Luggage int // what came before it for the sockets among its descriptors, as Arrival.Weight counts it

	cost uint64 // what is still to be given back when it has been read
}

// rights is how many descriptors s has brought, as credit counts them.
func (s *Segment) rights() uint64 {
	n := s.Luggage
	if s.Rights != nil {
		n += s.Rights.Len()
	}
	return uint64(n)
}

func (s *Segment) release() {
	if s.Buffer != nil {
		s.Buffer.Release()
		s.Buffer = nil
	}
}

// An Arrival is a packet that has come.
type Arrival struct {
	Bytes     int  // of payload
	Rights    int  // descriptors
	Continued bool // not the first piece of its message
	Luggage   bool // in front of its message: what a socket takes along that moves with it
}

// luggageUnit is how many bytes of luggage count as a descriptor. What moves along with a message
// waits to be read like those, and is no part of what its sender's buffer holds.
const luggageUnit = 4096

// Weight is what a packet takes of the credit for descriptors.
func (a Arrival) Weight() int {
	if !a.Luggage {
		return a.Rights
	}
	return a.Rights + (a.Bytes+luggageUnit-1)/luggageUnit
}

// cost is what a packet takes of the window.
func (a Arrival) cost() uint64 {
	if a.Luggage {
		return 0
	}
	return Cost(a.Bytes)
}
