package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// samples is a packet of every type, and of every shape that a Data packet can have.
func samples() map[string]Packet {
	record := Record{Kind: 1, Owner: Sender, Value: 7}
	socket := Record{Kind: 4, Owner: Exported, Extra: bytes.Repeat([]byte{0xEE}, MaxExtra)}
	hello := HelloBody{SocketType: 1, Ability: 1, Window: 212992, Rights: 2024, Proof: []byte("who I am")}
	return map[string]Packet{
		"data":            {Type: Data, Payload: []byte("hello")},
		"data, empty":     {Type: Data},
		"data, piece":     {Type: Data, Flags: More | Credentials, Payload: []byte("hel")},
		"data, last":      {Type: Data, Flags: Continued, Payload: []byte("lo")},
		"data, named":     {Type: Data, Name: []byte("/run/sender"), Payload: []byte("hello")},
		"data, rights":    {Type: Data, Records: 2, Serial: 9, Ancillary: socket.Append(record.Append(nil)), Payload: []byte("h")},
		"hello, client":   {Type: Hello, Payload: HelloBody{SocketType: 5, Window: 4608}.Append(nil)},
		"hello, server":   {Type: Hello, Flags: FromServer, Name: []byte("/run/s"), Payload: hello.Append(nil)},
		"ready":           {Type: Ready, Payload: []byte{3}},
		"acknowledgement": {Type: Ack, Serial: 9},
		"credit":          {Type: Credit, Payload: CreditBody{Consumed: 1 << 40, Rights: 2277}.Append(nil)},
		"shutdown":        {Type: Shutdown, Flags: ShutRead, Serial: 10},
		"options":         {Type: Options, Flags: PassCredentials, Serial: 11, Payload: AppendOptions(nil, 4608)},
		"refusal":         {Type: Refuse, Flags: Closing, Serial: 12},
		"withdrawal":      {Type: Cancel, Serial: 13},
		"goodbye":         {Type: Bye, Flags: Reset},
		"move":            {Type: Move, Flags: Itself, Serial: 14},
		"let go":          {Type: Move, Flags: Gone},
		"hello, moved":    {Type: Hello, Flags: Moved | FromServer | PassCredentials, Payload: hello.Append(nil)},
		"data, luggage":   {Type: Data, Flags: Luggage | Credentials, Serial: 15, Payload: AppendConn(nil, stateOfConn())},
	}
}

// check parses everything that a receiver of b would parse.
func check(b []byte) (Packet, error) {
	p, err := Parse(b)
	if err != nil {
		return p, err
	}
	rest := p.Ancillary
	for range p.Records {
		if _, rest, err = ParseRecord(rest); err != nil {
			return p, err
		}
	}
	switch p.Type {
	case Hello:
		_, err = ParseHello(p.Payload)
	case Credit:
		_, err = ParseCredit(p.Payload)
	case Options:
		_, err = ParseOptions(p.Payload)
	}
	return p, err
}

func TestPacketsSurviveTheWire(t *testing.T) {
	for name, p := range samples() {
		b := p.Append(nil)
		if len(b) != p.Len() {
			t.Errorf("%s: %d bytes, Len says %d", name, len(b), p.Len())
		}
		got, err := check(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := got.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: parsed and written again:\n%x\n%x", name, b, again)
		}
	}
}

// A truncation of a packet with free-form payload may be a shorter packet: what is left must then
// be what was cut. Any other must fail.
func TestEveryTruncationFailsCleanly(t *testing.T) {
	for name, p := range samples() {
		b := p.Append(nil)
		for n := range len(b) {
			got, err := check(b[:n])
			switch {
			case err == nil && p.Type == Data && n >= p.HeadLen():
				if !bytes.Equal(got.Append(nil), b[:n]) {
					t.Errorf("%s cut to %d bytes: another packet", name, n)
				}
			case !errors.Is(err, ErrMalformed):
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

func TestEveryTruncationOfARecordFailsCleanly(t *testing.T) {
	for _, r := range []Record{{Value: 1}, {Owner: Exported, Extra: make([]byte, MaxExtra)}} {
		b := r.Append(nil)
		if len(b) != r.Len() || len(b) > MaxRecord {
			t.Errorf("record of %d bytes, Len says %d", len(b), r.Len())
		}
		for n := range len(b) {
			if _, _, err := ParseRecord(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("record cut to %d bytes: %v", n, err)
			}
		}
	}
}

// S2 and S3: 253 descriptors of the worst kind, the longest name and 32,000 bytes in one packet.
func TestWorstCaseFitsInOnePacket(t *testing.T) {
	p := Packet{Type: Data, Serial: 1, Records: MaxRecords, Name: make([]byte, MaxName), Payload: make([]byte, MinPayload)}
	for range MaxRecords {
		p.Ancillary = Record{Owner: Exported, Extra: make([]byte, MaxExtra)}.Append(p.Ancillary)
	}
	if p.Len() > MaxPacket {
		t.Fatalf("%d bytes", p.Len())
	}
	got, err := check(p.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Records != MaxRecords || len(got.Payload) != MinPayload {
		t.Errorf("%d records, %d bytes", got.Records, len(got.Payload))
	}
}

func TestPacketsThatLie(t *testing.T) {
	rights := samples()["data, rights"]
	change := func(p Packet, at int, to ...byte) []byte {
		b := p.Append(nil)
		copy(b[at:], to)
		return b
	}
	ack, hello, luggage := samples()["acknowledgement"], samples()["hello, server"], samples()["data, luggage"]
	body := hello.HeadLen()
	for name, b := range map[string][]byte{
		"nothing":                  {},
		"too long":                 make([]byte, MaxPacket+1),
		"unknown type":             change(ack, 0, 0x7F),
		"unknown admin type":       change(ack, 0, 0x87),
		"unknown flag":             change(ack, 1, 1),
		"254 records":              change(rights, 2, 254),
		"fewer records than said":  change(rights, 2, 3),
		"more records than said":   change(rights, 2, 1),
		"name past the end":        change(rights, 3, 255),
		"block past the end":       change(rights, 4, 0xFF, 0xFF),
		"block one byte too long":  change(rights, 4, byte(len(rights.Ancillary)+1)),
		"reserved bytes":           change(rights, 6, 1),
		"records without a serial": change(rights, 8, 0),
		"record with odd owner":    change(rights, HeaderLen+1, 4),
		"record longer than block": change(rights, HeaderLen+2, 117),
		"socket with a value":      change(rights, HeaderLen+12+4, 1),
		"records in a credit":      change(rights, 0, byte(Credit)),
		"records in a later piece": change(rights, 1, Continued),
		"luggage in pieces":        change(luggage, 1, Luggage|More),
		"luggage continued":        change(luggage, 1, Luggage|Continued),
		"luggage without serial":   change(luggage, 8, 0),
		"luggage with a name":      append([]byte{byte(Data), Luggage, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "nx"...),
		"move with a payload":      append(change(samples()["move"], 0), 1),
		"move with odd flags":      change(samples()["move"], 1, 0x40),
		"serial in a goodbye":      change(ack, 0, byte(Bye)),
		"payload in a goodbye":     change(hello, 0, byte(Bye)),
		"hello of a stranger":      change(hello, body, 'X'),
		"hello of a later version": change(hello, body+4, 2),
		"hello with a bad status":  change(hello, body+8, 99),
		"proof past the end":       change(hello, body+9, 64),
		"reserved in a hello":      change(hello, body+10, 1),
	} {
		if _, err := check(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The bodies of admin packets have one length.
func TestBodiesOfAnotherLengthAreRefused(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n)
		if _, err := ParseCredit(b); (err == nil) != (n == CreditBody{}.Len()) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("credit of %d bytes: %v", n, err)
		}
		if _, err := ParseOptions(b); (err == nil) != (n == optionsLen) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("options of %d bytes: %v", n, err)
		}
	}
}

// Packets of the user's and of the transport's own are told by one bit (S6).
func TestAdminPacketsAreMarked(t *testing.T) {
	for name, p := range samples() {
		if got, want := p.Type.Admin(), !strings.HasPrefix(name, "data"); got != want {
			t.Errorf("%s: admin is %t", name, got)
		}
	}
}

// What is bare may be read past its header into the buffer of whoever waits for data.
func TestBarePackets(t *testing.T) {
	bare := map[string]bool{"data": true, "data, empty": true, "data, piece": true, "data, last": true}
	for name, p := range samples() {
		b := p.Append(nil)
		if got := Bare(b); got != bare[name] {
			t.Errorf("%s: %v", name, got)
		}
		if Bare(b[:HeaderLen-1]) {
			t.Errorf("%s without its header is bare", name)
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	p := samples()["data, rights"]
	b := p.Append(nil)
	if n := testing.AllocsPerRun(100, func() { check(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
