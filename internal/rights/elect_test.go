package rights_test

import (
	"testing"

	"afunix/internal/pipe"
	"afunix/internal/rights"
)

const (
	pull   = pipe.CanPull
	push   = pipe.CanPush
	trusts = pipe.Trusts
	opens  = pull | push // what follows from opening a process on Windows
	all    = opens | trusts
)

// The routes. Sockets can be exported wherever the sender could push.
var (
	nobody     = rights.Route{}
	pulled     = rights.Route{Way: rights.Pull}
	pulledBoth = rights.Route{Way: rights.Pull, Exports: true}
	pushed     = rights.Route{Way: rights.Push, Exports: true}
)

// Who duplicates: the table in docs/SECURITY.md. An ability is over the other side, and a side
// trusts what is at least as privileged as itself.
func TestElectWhoWindowsLets(t *testing.T) {
	for _, tt := range []struct {
		who                string
		server, client     pipe.Ability
		toClient, toServer rights.Route
	}{
		{"same user, same integrity: the server (S5)", all, all, pushed, pulledBoth},
		{"elevated server, plain client: the server", opens, trusts, pushed, pulled},
		{"plain server, elevated client: the client (P1)", trusts, opens, pulled, pushed},
		{"SYSTEM serves a user: SYSTEM", opens, trusts, pushed, pulled},
		{"a user serves SYSTEM: SYSTEM", trusts, opens, pulled, pushed},
		{"low integrity or AppContainer client: the server", opens, trusts, pushed, pulled},
		{"two plain users: nobody", 0, 0, nobody, nobody},
		{"Linux: each pulls", pull, pull, pulled, pulled},
		{"Linux, only the server may: one direction", pull, 0, nobody, pulled},
		{"Linux, only the client may: one direction", 0, pull, pulled, nobody},
	} {
		if got := rights.Elect(true, tt.server, tt.client); got != tt.toClient {
			t.Errorf("%s: to the client by route %+v, want %+v", tt.who, got, tt.toClient)
		}
		if got := rights.Elect(false, tt.server, tt.client); got != tt.toServer {
			t.Errorf("%s: to the server by route %+v, want %+v", tt.who, got, tt.toServer)
		}
	}
}

// elections names, for each direction, the three abilities that decide, and what comes of each of
// their combinations. It does not matter what else the two sides can do.
var elections = []struct {
	serverSends bool
	decides     [3]ability
	outcome     [8]rights.Route // the first of decides is the bit of value 1
}{
	{true, [3]ability{{true, push}, {false, trusts}, {false, pull}}, [8]rights.Route{
		0b000: nobody,
		0b001: nobody, // it could push, but would not be believed
		0b010: nobody,
		0b011: pushed,
		0b100: pulled,
		0b101: pulled,
		0b110: pulled,
		0b111: pushed, // the server's side first
	}},
	{false, [3]ability{{true, pull}, {false, push}, {true, trusts}}, [8]rights.Route{
		0b000: nobody,
		0b001: pulled,
		0b010: nobody, // it could push, but would not be believed
		0b011: pulled,
		0b100: nobody,
		0b101: pulled,
		0b110: pushed,
		0b111: pulledBoth, // the server's side first
	}},
}

// An ability is one that one side has.
type ability struct {
	ofServer bool
	is       pipe.Ability
}

func TestElectEveryCombination(t *testing.T) {
	for _, e := range elections {
		for server := range all + 1 {
			for client := range all + 1 {
				row := 0
				for i, d := range e.decides {
					has := client
					if d.ofServer {
						has = server
					}
					if has&d.is != 0 {
						row |= 1 << i
					}
				}
				if got := rights.Elect(e.serverSends, server, client); got != e.outcome[row] {
					t.Errorf("server %03b, client %03b, server sends %t: %+v, want %+v", server,
						client, e.serverSends, got, e.outcome[row])
				}
			}
		}
	}
}
