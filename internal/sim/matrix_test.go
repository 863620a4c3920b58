package sim

import (
	"fmt"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// faults are what can go wrong in an encounter: with process 0, the server, with process 1, the
// client, and with their pipe.
var faults = []Fault{
	{Kind: Kill, Of: 0}, {Kind: Kill, Of: 1},
	{Kind: Exit, Of: 0}, {Kind: Exit, Of: 1},
	{Kind: Suspend, Of: 0, For: time.Minute}, {Kind: Suspend, Of: 1, For: time.Minute},
	{Kind: Freeze, Of: 0, For: time.Minute}, {Kind: Freeze, Of: 1, For: time.Minute},
	{Kind: Fill, Of: 0, For: time.Minute}, {Kind: Fill, Of: 1, For: time.Minute},
	{Kind: Break, Of: 0},
}

// cargoes are what is sent: without a socket, a push goes where an export cannot; and with a
// deadline the outcome may be unknown.
var cargoes = []Outgoing{
	{Bytes: 100, Kinds: []descriptor.Kind{descriptor.File, descriptor.Pipe}},
	{Bytes: 100, Kinds: []descriptor.Kind{descriptor.File, descriptor.Stream, descriptor.Pipe}},
	{Bytes: 100, Kinds: []descriptor.Kind{descriptor.File, descriptor.Stream, descriptor.Pipe}, Deadline: 20 * time.Second},
}

// TestMatrix makes each fault happen before every step of an encounter, for every row of the table
// and either sender.
func TestMatrix(t *testing.T) {
	runs := 0
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			for _, serverSends := range []bool{true, false} {
				for i, cargo := range cargoes {
					for _, f := range faults {
						runs += everyStep(t, r, serverSends, i, cargo, f)
						if t.Failed() {
							return
						}
					}
				}
			}
		})
	}
	t.Log(runs, "runs")
}

// everyStep makes f happen before each step, and returns how many there are.
func everyStep(t *testing.T, r row, serverSends bool, i int, cargo Outgoing, f Fault) (runs int) {
	for step, last := 1, 1; step <= last && !t.Failed(); step += stride {
		name := fmt.Sprintf("server sends %v, cargo %d, before step %d %v", serverSends, i, step, f)
		typ := []sock.Type{sock.Stream, sock.Seqpacket}[step/stride%2]
		last = run(t, name, uint64(i), r.windows, func(w *World) {
			w.At(step, f)
			encounter(w, r, typ, cargo, serverSends, uint64(i))
		}).Steps()
		runs++
	}
	return runs
}
