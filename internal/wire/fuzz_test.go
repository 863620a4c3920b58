package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// documentedTypes is the table of types of docs/PROTOCOL.md. A payload of -1 is of any length.
var documentedTypes = map[byte]struct {
	flags                 byte
	payload               int
	records, name, serial bool
}{
	0x01: {0x0F, -1, true, true, true},
	0x81: {0x83, -1, false, true, false},
	0x82: {0, 1, false, false, false},
	0x83: {0, 0, false, false, true},
	0x84: {0, 16, false, false, false},
	0x85: {0x03, 0, false, false, true},
	0x86: {0x80, 4, false, true, true},
	0x88: {0x01, 0, false, false, false},
	0x89: {0x03, 0, false, false, true},
	0x8a: {0x03, 0, false, false, true},
	0x8b: {0, 0, false, false, true},
}

// documented reports whether b is a packet by the documents alone. It is what Parse, ParseRecord
// and ParseHello say, said by somebody else.
func documented(b []byte) bool {
	if len(b) < 16 || len(b) > 65_552 {
		return false
	}
	typ, known := documentedTypes[b[0]]
	flags, records, name, block := b[1], int(b[2]), int(b[3]), int(b[4])|int(b[5])<<8
	if !known || flags&^typ.flags != 0 || b[6] != 0 || b[7] != 0 || records > 253 || name > 108 || block > 253*128 {
		return false
	}
	serial := binary.LittleEndian.Uint64(b[8:]) != 0
	payload := len(b) - 16 - name - block
	more, continued, luggage := flags&1 != 0, flags&2 != 0, flags&8 != 0
	switch {
	case payload < 0, typ.payload >= 0 && payload != typ.payload:
	case records > 0 && (!typ.records || !serial || continued), serial && !typ.serial, name > 0 && !typ.name:
	case b[0] == 0x01 && luggage && (more || continued || !serial || name > 0):
	case !documentedRecords(b[16+name:16+name+block], records):
	case b[0] == 0x81:
		return documentedHello(b[16+name:])
	default:
		return true
	}
	return false
}

func documentedRecords(block []byte, n int) bool {
	for ; n > 0; n-- {
		if len(block) < 12 {
			return false
		}
		owner, extra, value := block[1], int(block[2])|int(block[3])<<8, binary.LittleEndian.Uint64(block[4:])
		exported := owner == 2
		if owner > 3 || extra > 116 || exported != (extra > 0) || exported && value != 0 || len(block) < 12+extra {
			return false
		}
		block = block[12+extra:]
	}
	return len(block) == 0
}

func documentedHello(b []byte) bool {
	return len(b) >= 32 && bytes.HasPrefix(b, []byte("AFUX\x01\x00")) && b[8] <= 4 &&
		b[9] <= 64 && len(b) == 32+int(b[9]) && b[10] == 0 && b[11] == 0
}

// Whatever comes: a packet is accepted if, and only if, it is one by the documents; it is then what
// its bytes say, to the last one, and no part of it can grow into the next. Cut anywhere, at the
// byte number cut, it is none any more, or a shorter one of the same kind.
func FuzzParse(f *testing.F) {
	for _, p := range samples() {
		b := p.Append(nil)
		f.Add(b, uint16(len(b)-1))
	}
	for _, p := range atTheBounds() {
		f.Add(p.Append(nil), uint16(p.HeadLen()))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		was := bytes.Clone(b)
		p, err := check(b)
		if ok := documented(b); (err == nil) != ok {
			t.Fatalf("%x: %v, by the documents %t", b, err, ok)
		}
		if !bytes.Equal(b, was) {
			t.Fatalf("%x became %x", was, b)
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again := p.Append(nil); !bytes.Equal(again, b) || p.Len() != len(b) || p.HeadLen()+len(p.Payload) != len(b) {
			t.Fatalf("%x became %x; %d bytes with a head of %d", b, again, p.Len(), p.HeadLen())
		}
		if cap(p.Name) != len(p.Name) || cap(p.Ancillary) != len(p.Ancillary) {
			t.Fatalf("%x: a name with room for %d, a block with room for %d", b, cap(p.Name), cap(p.Ancillary))
		}
		if bare := p.Type == Data && p.Flags&Luggage == 0 && len(p.Payload) == len(b)-HeaderLen; Bare(b) != bare {
			t.Fatalf("%x: bare is %t", b, !bare)
		}
		sameRecords(t, p)
		sameBody(t, p)
		if n := int(cut); n < len(b) {
			shorter, err := check(b[:n])
			if err == nil && (p.Type != Data || n < p.HeadLen() || !bytes.Equal(shorter.Append(nil), b[:n])) {
				t.Fatalf("%x cut to %d bytes was accepted", b, n)
			}
		}
	})
}

// atTheBounds are packets that go to a bound, and some that go beyond: a fuzzer would have to find
// two fields that fit each other.
func atTheBounds() (packets []Packet) {
	for _, n := range []int{MaxName, MaxName + 1} {
		packets = append(packets, Packet{Type: Data, Name: make([]byte, n)})
	}
	for _, n := range []int{MaxRecords, MaxRecords + 1} {
		records := bytes.Repeat(Record{Value: 4}.Append(nil), n)
		packets = append(packets, Packet{Type: Data, Serial: 1, Records: n, Ancillary: records})
	}
	for _, n := range []int{MaxExtra, MaxExtra + 1} {
		socket := Record{Owner: Exported, Extra: make([]byte, n)}.Append(nil)
		packets = append(packets, Packet{Type: Data, Serial: 1, Records: 2, Ancillary: append(socket, socket...)})
	}
	return packets
}

// sameRecords fails unless each record of p, written again, is what it was.
func sameRecords(t *testing.T, p Packet) {
	rest := p.Ancillary
	for range p.Records {
		block := rest
		r, after, err := ParseRecord(block)
		if err != nil {
			t.Fatal(err)
		}
		rest = after
		if again := r.Append(nil); !bytes.Equal(again, block[:len(block)-len(rest)]) || r.Len() != len(again) || len(again) > MaxRecord {
			t.Fatalf("record %x became %x", block, again)
		}
		if cap(r.Extra) != len(r.Extra) {
			t.Fatalf("record %x has an end with room for %d", block, cap(r.Extra))
		}
	}
}

// sameBody fails unless the payload of p, if it means something, is what it was when it is written
// again.
func sameBody(t *testing.T, p Packet) {
	again, length := p.Payload, len(p.Payload)
	switch p.Type {
	case Hello:
		h, _ := ParseHello(p.Payload)
		again, length = h.Append(nil), h.Len()
	case Credit:
		c, _ := ParseCredit(p.Payload)
		again, length = c.Append(nil), c.Len()
	case Options:
		window, _ := ParseOptions(p.Payload)
		again = AppendOptions(nil, window)
	}
	if !bytes.Equal(again, p.Payload) || length != len(again) {
		t.Fatalf("payload %x became %x of %d bytes", p.Payload, again, length)
	}
}

// Whatever a mover says of its ends: each state that is accepted is what its bytes say, to the last
// one, whatever comes behind them; its lists are no longer than the bytes that came; and cut
// anywhere it is none.
func FuzzLuggage(f *testing.F) {
	for _, b := range states() {
		f.Add(b, uint16(len(b)-1))
		f.Add(append(AppendPacket(nil, stateOfPacket()), b...), uint16(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		was := bytes.Clone(b)
		for rest := b; len(rest) > 0; {
			state := rest
			again, after, err := reparse(state)
			if err != nil {
				if !errors.Is(err, ErrMalformed) || after != nil {
					t.Fatalf("%v, %d bytes are left", err, len(after))
				}
				break
			}
			rest = after
			n := len(state) - len(rest)
			if !bytes.Equal(again, state[:n]) {
				t.Fatalf("%x became %x", state[:n], again)
			}
			if k := int(cut); k < n {
				if _, _, err := reparse(state[:k]); err == nil {
					t.Fatalf("%x cut to %d bytes was accepted", state[:n], k)
				}
			}
			if alone, none, err := reparse(state[:n]); err != nil || len(none) > 0 || !bytes.Equal(alone, again) {
				t.Fatalf("%x is another state by itself: %x, %v", state[:n], alone, err)
			}
			if elements := lengths(t, state); elements > n {
				t.Fatalf("%d bytes became lists of %d elements", n, elements)
			}
		}
		if !bytes.Equal(b, was) {
			t.Fatalf("%x became %x", was, b)
		}
	})
}

// lengths returns how many elements the lists of a state have, and fails if one of its numbers is
// beyond its bounds.
func lengths(t *testing.T, b []byte) (n int) {
	tag, b, _ := ParseTag(b)
	var texts []string
	switch tag {
	case ConnTag:
		s, _, _ := ParseConn(b)
		n = cap(s.Link.Offers) + cap(s.End.Writers) + cap(s.Segments)
		texts = []string{s.End.Local, s.End.Remote, s.End.PeerName, s.End.Chosen, s.Link.Sender}
		for _, w := range s.End.Writers {
			texts = append(texts, w.SID)
		}
		for _, seg := range s.Segments {
			if cap(seg.Data) != len(seg.Data) {
				t.Fatalf("a segment with data with room for %d", cap(seg.Data))
			}
		}
	case ListenerTag:
		s, _, _ := ParseListener(b)
		texts = []string{s.Local}
		if cap(s.Source) != len(s.Source) {
			t.Fatalf("a source with room for %d", cap(s.Source))
		}
	case PacketTag:
		s, _, _ := ParsePacket(b)
		n = cap(s.Order.Queue) + cap(s.Order.Held)
		texts = []string{s.Local, s.Bound, s.Remote}
	}
	for _, text := range texts {
		if len(text) > MaxText {
			t.Fatalf("a text of %d bytes", len(text))
		}
	}
	return n
}
