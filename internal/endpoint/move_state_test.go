package endpoint

import (
	"reflect"
	"testing"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
)

// A deadPipe is one that nobody is at the other end of.
type deadPipe struct{ pipe.Pipe }

func (deadPipe) Opener() (cred.Credentials, error) { return cred.Credentials{}, nil }

// What is said of an end beside its halves, its new owner would say of it, too: each field of the
// state is taken up, and given again.
func TestWhatMovesOfAnEndMovesOn(t *testing.T) {
	mover := &session{}
	mover.peer.writers = []cred.Credentials{{PID: 1}} // root, who is believed
	for f := range reflect.TypeFor[sock.EndState]().Fields() {
		s := sock.ConnState{
			End: sock.EndState{Type: sock.Stream, Alone: true, Local: "/a", Remote: "/b"},
			In:  sock.InboxState{Window: sock.DefaultWindow},
			Out: sock.OutboxState{Buffer: sock.DefaultBuffer},
		}
		field := reflect.ValueOf(&s.End).Elem().FieldByIndex(f.Index)
		switch f.Name {
		case "Type":
			s.End.Type = sock.Seqpacket
		case "Writers":
			s.End.Writers = []sock.Writer{{PID: 2, UID: 3, GID: 4, SID: "S"}}
		default:
			switch field.Kind() {
			case reflect.Bool:
				field.SetBool(true)
			case reflect.Uint64:
				field.SetUint(7)
			default:
				field.SetString("/c")
			}
		}
		c := newConn(deadPipe{}, Config{Type: s.End.Type, Table: descriptor.System}, s.End.Server, 0)
		b := builder{mover, move.Receive(move.Luggage{}, descriptor.System, nil, rights.Route{}, nil)}
		if err := b.assemble(c.base(), &s); err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		again := c.state().End
		if got := reflect.ValueOf(again).FieldByIndex(f.Index); !reflect.DeepEqual(got.Interface(), field.Interface()) {
			t.Errorf("%s: %v became %v", f.Name, field, got)
		}
	}
}
