package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"afunix/internal/sock"
)

var update = flag.Bool("update", false, "write the hex dumps of docs/PROTOCOL.md anew")

// examples are the packets that docs/PROTOCOL.md shows, by the name behind its ```hex.
func examples() map[string]Packet {
	file := Record{Kind: 1, Owner: Sender, Value: 7}
	event := Record{Kind: 10, Owner: Receiver, Value: 0x1A4}
	silent := Record{Kind: 7, Owner: End, Value: 9}
	listener := sock.ListenerState{Type: sock.Stream, Backlog: 4096, Local: "/run/s", Clients: 1}
	return map[string]Packet{
		"data": {Type: Data, Payload: []byte("hello")},
		"data-rights": {Type: Data, Records: 2, Serial: 1, Payload: []byte("two"),
			Ancillary: event.Append(file.Append(nil))},
		"hello-client": {Type: Hello, Payload: HelloBody{SocketType: 1, Window: 851968, Rights: 2024}.Append(nil)},
		"hello-server": {Type: Hello, Flags: FromServer, Name: []byte("/run/s"),
			Payload: HelloBody{SocketType: 1, Ability: 1, Window: 851968, Rights: 253}.Append(nil)},
		"ready":    {Type: Ready, Payload: []byte{1}},
		"ack":      {Type: Ack, Serial: 1},
		"credit":   {Type: Credit, Payload: CreditBody{Consumed: 212992, Rights: 2026}.Append(nil)},
		"shutdown": {Type: Shutdown, Flags: ShutRead, Serial: 2},
		"options":  {Type: Options, Flags: PassCredentials, Serial: 3, Payload: AppendOptions(nil, 851968)},
		"bye":      {Type: Bye, Flags: Reset},
		"refuse":   {Type: Refuse, Flags: Stranger, Serial: 4},
		"cancel":   {Type: Cancel, Serial: 5},
		"move":     {Type: Move, Serial: 6},
		"hello-moved": {Type: Hello, Flags: FromServer | Moved,
			Payload: HelloBody{SocketType: 1, Window: 425984, Rights: 2026, Socket: 0x0123456789ABCDEF}.Append(nil)},
		"luggage": {Type: Data, Flags: Luggage, Records: 1, Serial: 7, Ancillary: silent.Append(nil),
			Payload: append(AppendListener(nil, &listener), byte(PipeTag))},
		"datagram": {Type: Data, Flags: Credentials, Serial: 5, Name: []byte("@00a1b"), Payload: []byte("log line")},
	}
}

const protocol = "../../docs/PROTOCOL.md"

var dumps = regexp.MustCompile("(?s)```hex ([a-z-]+)\n(.*?)```")

// The document shows every type of packet as it is.
func TestProtocolDocument(t *testing.T) {
	text, err := os.ReadFile(protocol)
	if err != nil {
		t.Fatal(err)
	}
	left := examples()
	changed := dumps.ReplaceAllFunc(text, func(block []byte) []byte {
		m := dumps.FindSubmatch(block)
		name := string(m[1])
		p, ok := left[name]
		if !ok {
			t.Errorf("dump %q is no example, or comes twice", name)
			return block
		}
		delete(left, name)
		if *update {
			return []byte(fmt.Sprintf("```hex %s\n%s```", name, dump(p.Append(nil))))
		}
		got, err := undump(string(m[2]))
		if err != nil {
			t.Errorf("dump %q: %v", name, err)
		} else if want := p.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("dump %q shows\n%s\nand not\n%s", name, m[2], dump(want))
		}
		return block
	})
	for name := range left {
		t.Errorf("there is no dump of %q", name)
	}
	if *update {
		if err := os.WriteFile(protocol, changed, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func dump(b []byte) string { return hex.Dump(b) }

// undump reads what hex.Dump wrote.
func undump(s string) ([]byte, error) {
	var b []byte
	for line := range strings.Lines(s) {
		_, digits, ok := strings.Cut(line, "  ")
		if !ok {
			continue // the last line of a dump may be an offset only
		}
		digits, _, _ = strings.Cut(digits, "|")
		for field := range strings.FieldsSeq(digits) {
			c, err := hex.DecodeString(field)
			if err != nil {
				return nil, err
			}
			b = append(b, c...)
		}
	}
	return b, nil
}
