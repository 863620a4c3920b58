package wire

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"

	"afunix/internal/sock"
)

// stays are the fields of a segment that do not move: what they are about is settled before, or
// counted anew.
var stays = map[string]bool{"Segments.Buffer": true, "Segments.Placed": true, "Segments.Luggage": true, "Segments.cost": true}

// leaves returns the names of all fields of a state that are no structs, those of elements of its
// lists as well.
func leaves(t reflect.Type, prefix string) (names []string) {
	for f := range t.Fields() {
		name, typ := prefix+f.Name, f.Type
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			typ = typ.Elem()
		}
		switch {
		case stays[name]:
		case typ.Kind() == reflect.Struct:
			names = append(names, leaves(typ, name+".")...)
		default:
			names = append(names, name)
		}
	}
	return names
}

// field returns a field by its name. Of a list it is that of the first element, which there is
// afterwards.
func field(v reflect.Value, name string) reflect.Value {
	for part := range strings.SplitSeq(name, ".") {
		if v.Kind() == reflect.Slice {
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			}
			v = v.Index(0)
		}
		v = v.FieldByName(part)
	}
	return v
}

// fill gives a field a value that is not what it is by itself.
func fill(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(2) // of a sock.Peer: Apart
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Interface:
		v.Set(reflect.ValueOf(Announced(2)))
	default:
		t.Fatalf("fields of kind %v do not move", v.Kind())
	}
}

// surviving fails unless each field of a state is what it was when the state has been written and
// parsed.
func surviving[S any](t *testing.T, write func([]byte, *S) []byte, parse func([]byte) (S, []byte, error)) {
	t.Helper()
	for _, name := range leaves(reflect.TypeFor[S](), "") {
		var was S
		f := field(reflect.ValueOf(&was).Elem(), name)
		fill(t, f)
		is, rest, err := parse(write(nil, &was)[1:])
		if err != nil || len(rest) > 0 {
			t.Errorf("%s: %v, %d bytes are left", name, err, len(rest))
			continue
		}
		if got := field(reflect.ValueOf(&is).Elem(), name); !reflect.DeepEqual(got.Interface(), f.Interface()) {
			t.Errorf("%s does not move: %v, want %v", name, got, f)
		}
	}
}

// What package sock declares of a state moves: a field that no visit knows is missed here.
func TestEveryFieldOfAStateMoves(t *testing.T) {
	surviving(t, AppendConn, ParseConn)
	surviving(t, AppendListener, ParseListener)
	surviving(t, AppendPacket, ParsePacket)
}

// Flags are where docs/PROTOCOL.md says.
func TestFlagsOfStates(t *testing.T) {
	for i, name := range []string{
		"End.Server", "End.Embryo", "End.Pass", "End.PeerPass", "End.Alone", "Moves.PeerAway", "Out.Peer", "End.Naming", "Link.Over",
		"In.Shut", "In.Ended", "In.Gone", "In.Reset", "In.Failed", "Out.Shut", "Out.Deaf", "Out.Gone", "Moves.Waits",
	} {
		var s sock.ConnState
		fill(t, field(reflect.ValueOf(&s).Elem(), name))
		if got := binary.LittleEndian.Uint32(AppendConn(nil, &s)[2:]); got != 1<<i {
			t.Errorf("%s: flags %#x, want %#x", name, got, 1<<i)
		}
	}
	for i, name := range []string{"Listens", "PeerLink", "Mail.Peer", "Mail.Deaf", "Mute", "Pass"} {
		var s sock.PacketState
		fill(t, field(reflect.ValueOf(&s).Elem(), name))
		if got := binary.LittleEndian.Uint32(AppendPacket(nil, &s)[1:]); got != 1<<i {
			t.Errorf("%s: flags %#x, want %#x", name, got, 1<<i)
		}
	}
	for i, name := range []string{"More", "Continued", "Lost"} {
		s := sock.ConnState{Segments: make([]sock.Segment, 1)}
		fill(t, field(reflect.ValueOf(&s).Elem(), "Segments."+name))
		b := AppendConn(nil, &s)
		if got := b[len(b)-4-4-1-4]; got != 1<<i { // length of the data, writer, rights, flags
			t.Errorf("%s: flags %#x, want %#x", name, got, 1<<i)
		}
	}
}

// States look on the wire as they always have.
func TestStatesOnTheWire(t *testing.T) {
	golden, err := os.ReadFile("testdata/states.hex")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(golden))
	for i, b := range [][]byte{AppendConn(nil, stateOfConn()), AppendPacket(nil, stateOfPacket())} {
		if got := hex.EncodeToString(b); got != want[i] {
			t.Errorf("state %d is\n%s, want\n%s", i, got, want[i])
		}
	}
}
