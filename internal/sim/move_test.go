package sim

import (
	"fmt"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// migration is a connection between processes 0 and 1 whose client moves from process 1 to process 2, over a connection of theirs,
// while descriptors go both ways.
func migration(w *World, r row, typ sock.Type, seed uint64) {
	w.Coarse = true
	a, b, c := w.Spawn("A", r.server), w.Spawn("B", r.client), w.Spawn("C", r.client)
	s, k := w.connection(typ, a, b, seed, 3000)
	xc, xb := w.connection(sock.Stream, c, b, seed, 3000)
	file := Outgoing{Bytes: 50, Kinds: []descriptor.Kind{descriptor.File}}
	long := Outgoing{Bytes: 3000}
	move := Outgoing{Bytes: 10, Over: xb}
	w.meet(s, k, []Outgoing{file, long, file, long, file}, []Outgoing{file, long, move, file, long}, Reader{Max: 2000}, Reader{Max: 2000}, 0)
	w.meet(xc, xb, nil, []Outgoing{{Bytes: 1, Wait: 2 * time.Second}}, Reader{Max: 100}, Reader{Max: 100}, 0)
}

// TestMigration makes each fault happen before every step of a migration.
func TestMigration(t *testing.T) {
	faults := []Fault{
		{Kind: Kill, Of: 0}, {Kind: Kill, Of: 1}, {Kind: Kill, Of: 2},
		{Kind: Exit, Of: 1}, {Kind: Exit, Of: 2},
		{Kind: Suspend, Of: 0, For: time.Minute}, {Kind: Suspend, Of: 1, For: time.Minute}, {Kind: Suspend, Of: 2, For: time.Minute},
		{Kind: Freeze, Of: 0, For: time.Minute}, {Kind: Freeze, Of: 2, For: time.Minute},
		{Kind: Fill, Of: 2, For: time.Second}, {Kind: Fill, Of: 1, For: time.Second},
		{Kind: Break, Of: 0}, {Kind: Break, Of: 1},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range faults {
				for step, last := 1, 1; step <= last && !t.Failed(); step += stride {
					typ := []sock.Type{sock.Stream, sock.Seqpacket}[step/stride%2]
					name := fmt.Sprintf("before step %d %v", step, f)
					last = run(t, name, 1, r.windows, func(w *World) {
						w.At(step, f)
						migration(w, r, typ, 1)
					})
				}
			}
		})
	}
}
