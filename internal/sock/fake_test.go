package sock_test

import "afunix/internal/sock"

// descs are the descriptors of one message, told apart by their address.
type descs struct {
	n      int
	closed int // how often
}

func (d *descs) Len() int { return d.n }
func (d *descs) Discard() { d.closed++ }

// closeDiscarded does what the owner of an Inbox has to do. That each is handed over once is seen
// by how often it is closed.
func closeDiscarded(in *sock.Inbox) {
	for range 2 {
		for _, r := range in.Discarded() {
			r.Discard()
		}
	}
}

// buffer counts how often it was released.
type buffer struct{ released int }

func (b *buffer) Release() { b.released++ }

// copies are a sender's parked copies.
type copies struct{ declined, released, takenBack int }

func (c *copies) Release()  { c.released++ }
func (c *copies) Decline()  { c.declined++ }
func (c *copies) TakeBack() { c.takenBack++ }

// segment is what one packet brought.
func segment(data string) sock.Segment { return sock.Segment{Data: []byte(data), Buffer: new(buffer)} }

func withRights(s sock.Segment, d *descs) sock.Segment {
	s.Rights = d
	return s
}

func withCreds(s sock.Segment) sock.Segment {
	s.Creds = 1
	return s
}

func lost(s sock.Segment) sock.Segment {
	s.Lost = true
	return s
}

// pieces is a record that came in several packets.
func pieces(parts ...string) []sock.Segment {
	s := make([]sock.Segment, len(parts))
	for i, p := range parts {
		s[i] = segment(p)
		s[i].More, s[i].Continued = i < len(parts)-1, i > 0
	}
	return s
}
