package endpoint_test

import (
	"errors"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

func records(t testing.TB, p wire.Packet) []wire.Record {
	t.Helper()
	var rs []wire.Record
	rest := p.Ancillary
	for range p.Records {
		r, next, err := wire.ParseRecord(rest)
		if err != nil {
			t.Fatal(err)
		}
		rs, rest = append(rs, r), next
	}
	return rs
}

// The server's side duplicates, in both directions: as source it pushes, as destination it pulls.
func TestS5TheServersSideDuplicates(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		for _, dir := range []struct {
			from, to *endpoint.Conn
			pipe     *fakePipe
			owner    wire.Owner
		}{
			{r.server, r.client, r.serverPipe, wire.Receiver},
			{r.client, r.server, r.clientPipe, wire.Sender},
		} {
			proc := r.serverProc
			if dir.from == r.client {
				proc = r.clientProc
			}
			send(t, dir.from, "x", r.open(proc, descriptor.File, 1)...)
			recv(t, dir.to, "x", 1).Close()
			p := dir.pipe.written(wire.Data)[0]
			if got := records(t, p)[0].Owner; got != dir.owner {
				t.Errorf("owner %d, want %d", got, dir.owner)
			}
		}
	})
}

// Each row of the table of trust in docs/SECURITY.md, and Linux, end to end.
func TestP1DuplicatorIsElectedForEachDirection(t *testing.T) {
	const trusts = pipe.Trusts
	const nobody = wire.Owner(255)
	for _, tt := range []struct {
		who                string
		kin                kinship
		toClient, toServer wire.Owner // of a file's record
		sockets            [2]bool    // to the client, to the server
	}{
		{"same user, same integrity", kinship{anybody, anybody, true}, wire.Receiver, wire.Sender, [2]bool{true, true}},
		{"elevated server", kinship{opens, trusts, true}, wire.Receiver, wire.Sender, [2]bool{true, false}},
		{"elevated client", kinship{trusts, opens, true}, wire.Sender, wire.Receiver, [2]bool{false, true}},
		{"two plain users", kinship{0, 0, true}, nobody, nobody, [2]bool{false, false}},
		{"Linux", onLinux, wire.Sender, wire.Sender, [2]bool{true, true}},
		{"Linux, push", kinship{anybody, anybody, false}, wire.Receiver, wire.Sender, [2]bool{true, true}},
		{"Linux, only the server may", kinship{pipe.CanPull, 0, false}, nobody, wire.Sender, [2]bool{false, true}},
		{"Linux, only the client may", kinship{0, pipe.CanPull, false}, wire.Sender, nobody, [2]bool{true, false}},
		{"who pushes is not believed", kinship{opens, 0, true}, nobody, wire.Sender, [2]bool{false, false}},
	} {
		t.Run(tt.who, func(t *testing.T) {
			bubble(t, tt.kin, sock.Stream, func(t *testing.T, r *rig) {
				directions := []struct {
					from, to *endpoint.Conn
					pipe     *fakePipe
					files    []transport.File
					sockets  []transport.File
					want     wire.Owner
					socket   bool
				}{
					{r.server, r.client, r.serverPipe, r.open(r.serverProc, descriptor.File, 1),
						r.open(r.serverProc, descriptor.Stream, 1), tt.toClient, tt.sockets[0]},
					{r.client, r.server, r.clientPipe, r.open(r.clientProc, descriptor.File, 1),
						r.open(r.clientProc, descriptor.Stream, 1), tt.toServer, tt.sockets[1]},
				}
				for _, d := range directions {
					n, err := d.from.Send([]byte("x"), d.files, nil)
					if d.want == nobody {
						if n != 0 || err != syscall.EPERM {
							t.Errorf("sent %d, %v, want EPERM", n, err)
						}
						if len(d.pipe.written(wire.Data)) != 0 {
							t.Error("something was written")
						}
					} else if err != nil {
						t.Fatal(err)
					} else {
						recv(t, d.to, "x", 1).Close()
						if got := records(t, d.pipe.written(wire.Data)[0])[0].Owner; got != d.want {
							t.Errorf("owner %d, want %d", got, d.want)
						}
					}
					n, err = d.from.Send([]byte("s"), d.sockets, nil)
					switch {
					case d.socket && err == nil:
						recv(t, d.to, "s", 1).Close()
					case d.socket, n != 0, !errors.Is(err, syscall.EPERM) && !errors.Is(err, descriptor.ErrNotSendable):
						t.Errorf("a socket: sent %d, %v", n, err)
					}
					send(t, d.from, "plain data flows")
					recv(t, d.to, "plain data flows", 0)
				}
			})
		})
	}
}
