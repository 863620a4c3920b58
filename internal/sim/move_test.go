package sim

import (
	"fmt"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// What is sent around moves.
var (
	aFile = Outgoing{Bytes: 50, Kinds: []descriptor.Kind{descriptor.File}}
	aLong = Outgoing{Bytes: 3000}

	narrow = Reader{Max: 2000}
)

// over is a message that takes the end along over which it is sent, or another one.
func over(s *Side, deadline time.Duration) Outgoing {
	return Outgoing{Bytes: 10, Over: s, Deadline: deadline}
}

// A migration is a world in which an end moves. Process 0 is the server's, process 1 the client's,
// and the others are where ends go to.
type migration struct {
	name  string
	procs int
	play  func(w *World, procs []*Process, typ sock.Type)
}

// courier connects process from to process to, for ends to be carried, and returns from's side.
func courier(w *World, from, to *Process, after time.Duration) *Side {
	end, start := w.connection(sock.Stream, to, from, 1, 3000)
	w.meet(&Meeting{
		server: end, atServer: Reader{Max: 100},
		client: start, fromClient: []Outgoing{{Bytes: 1, Wait: after}}, atClient: Reader{Max: 100},
	})
	return start
}

var migrations = []migration{
	{"the client's end", 3, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		x := courier(w, p[1], p[2], 2*time.Second)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, aLong, aFile, aLong, aFile}, atServer: narrow,
			client: k, fromClient: []Outgoing{aFile, aLong, over(x, 0), aFile, aLong}, atClient: narrow,
		})
	}},
	{"the client's end, with a deadline", 3, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		x := courier(w, p[1], p[2], 2*time.Second)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, aLong, aFile}, atServer: narrow,
			client: k, fromClient: []Outgoing{aFile, over(x, 20*time.Second), aFile, over(x, 20*time.Second), aFile}, atClient: narrow,
		})
	}},
	{"both ends", 4, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		x, y := courier(w, p[0], p[3], 2*time.Second), courier(w, p[1], p[2], 2*time.Second)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, over(x, 0), aFile, aLong}, atServer: narrow,
			client: k, fromClient: []Outgoing{aFile, over(y, 0), aLong, aFile}, atClient: narrow,
		})
	}},
	{"an end over itself", 2, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, aLong, aFile}, atServer: narrow,
			client: k, fromClient: []Outgoing{aFile, over(k, 0), aFile, aLong}, atClient: narrow,
		})
	}},
	{"both ends over themselves", 2, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, over(s, 20*time.Second), aFile}, atServer: narrow,
			client: k, fromClient: []Outgoing{aLong, over(k, 0), aFile}, atClient: narrow,
		})
	}},
	{"a listener", 3, func(w *World, p []*Process, typ sock.Type) {
		s, k := w.connection(typ, p[0], p[1], 1, 3000)
		w.meet(&Meeting{
			server: s, fromServer: []Outgoing{aFile, aLong}, atServer: narrow, Via: courier(w, p[0], p[2], 2*time.Second),
			client: k, fromClient: []Outgoing{aFile, aLong, aFile}, atClient: narrow,
		})
	}},
}

// moveFaults are what can go wrong. A peer that is suspended is silent.
func moveFaults(procs int) (faults []Fault) {
	for i := range procs {
		faults = append(faults,
			Fault{Kind: Kill, Of: i}, Fault{Kind: Exit, Of: i}, Fault{Kind: Suspend, Of: i, For: time.Minute},
			Fault{Kind: Freeze, Of: i, For: time.Minute}, Fault{Kind: Fill, Of: i, For: time.Second}, Fault{Kind: Deny, Of: i, For: time.Second})
	}
	return append(faults, Fault{Kind: Break, Of: 0}, Fault{Kind: Break, Of: 1})
}

// TestMigration makes each fault happen before every step of each migration. Faults of different
// kinds take turns with the rows of the table: each meets each, and each of them every step.
func TestMigration(t *testing.T) {
	for _, r := range migrations {
		t.Run(r.name, func(t *testing.T) {
			for i, f := range moveFaults(r.procs) {
				for step, last := 1, 1; step <= last && !t.Failed(); step += stride {
					row := rows[(i+step)%len(rows)]
					typ := []sock.Type{sock.Stream, sock.Seqpacket}[step/stride%2]
					name := fmt.Sprintf("%s, %s, before step %d %v", r.name, row.name, step, f)
					last = run(t, name, 1, row.windows, func(w *World) {
						w.Moves = true
						w.At(step, f)
						procs := []*Process{w.Spawn("A", row.server)}
						for len(procs) < r.procs {
							procs = append(procs, w.Spawn(string('A'+rune(len(procs))), row.client))
						}
						r.play(w, procs, typ)
					}).Steps()
				}
			}
		})
	}
}
