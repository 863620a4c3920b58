package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// The tests of this file are named after the points of the specification that they hold the engine to. P3, P4 and P7 have
// files of their own.

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

// One send makes one packet: header, ancillary block, payload, in that order.
func TestS1OneSendIsOnePacket(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
				before := len(r.clientPipe.log)
				data := "payload"
				done := start(func() (int, error) {
					return r.client.Send([]byte(data), r.open(r.clientProc, descriptor.File, 3), nil)
				})
				recv(t, r.server, data, 3).Close()
				if o := <-done; o.n != len(data) || o.err != nil {
					t.Fatalf("%+v", o)
				}
				log := r.clientPipe.log[before:]
				if len(log) != 1 {
					t.Fatalf("%d packets for one message", len(log))
				}
				p, err := wire.Parse(log[0])
				if err != nil || p.Records != 3 || string(p.Payload) != data {
					t.Errorf("%+v, %v", p, err)
				}
				if !bytes.HasSuffix(log[0], []byte(data)) || p.HeadLen() != wire.HeaderLen+len(p.Ancillary) {
					t.Error("not header, records, payload")
				}
			})
		})
	}
}

// No packet is larger than 64 KiB and its header, and none wastes the room it has.
func TestS2PacketsHaveAtMost64KiB(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		done := start(func() (int, error) { return r.client.Write(data) })
		if got := full(t, r.server, len(data)); !bytes.Equal(got, data) {
			t.Error("not what was written")
		}
		if o := <-done; o.n != len(data) || o.err != nil {
			t.Errorf("%+v", o)
		}
		packets := r.clientPipe.written(wire.Data)
		for _, p := range packets {
			if p.Len() > wire.MaxPacket {
				t.Errorf("packet of %d bytes", p.Len())
			}
		}
		if want := len(data) / wire.MaxPayload; len(packets) != want {
			t.Errorf("%d packets, %d would do", len(packets), want)
		}
	})
}

// A full set of the largest records and 32,000 bytes of payload are one packet.
func TestS3FullSetOfDescriptorsBeside32000Bytes(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		sockets := r.open(r.clientProc, descriptor.Listener, descriptor.Max)
		data := strings.Repeat("x", wire.MinPayload)
		done := start(func() (int, error) { return r.client.Send([]byte(data), sockets, nil) })
		recv(t, r.server, data, descriptor.Max).Close()
		if o := <-done; o.n != len(data) || o.err != nil {
			t.Fatalf("%+v", o)
		}
		packets := r.clientPipe.written(wire.Data)
		if len(packets) != 1 || len(packets[0].Ancillary) != wire.MaxAncillary || packets[0].Records != descriptor.Max {
			t.Errorf("%d packets, the first with %d records", len(packets), packets[0].Records)
		}
		if len(packets[0].Ancillary) > 32<<10 {
			t.Errorf("ancillary block of %d bytes", len(packets[0].Ancillary))
		}
	})
}

// What does not fit is payload, and goes in further packets; the descriptors are in the first.
func TestS4OnlyThePayloadIsSplit(t *testing.T) {
	for _, typ := range []sock.Type{sock.Stream, sock.Seqpacket} {
		for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
			t.Run(fmt.Sprintf("type %d, %s", typ, name), func(t *testing.T) {
				bubble(t, k, typ, func(t *testing.T, r *rig) {
					files := r.open(r.clientProc, descriptor.Stream, descriptor.Max)
					data := bytes.Repeat([]byte("0123456789abcdef"), 200000/16)
					done := start(func() (int, error) { return r.client.Send(data, files, nil) })
					buf := make([]byte, len(data))
					m, err := r.server.Recv(buf, false)
					if err != nil || m.Rights.Len() != descriptor.Max {
						t.Fatalf("%+v, %v", m, err)
					}
					m.Rights.Close()
					if typ == sock.Seqpacket && m.N != len(data) {
						t.Fatalf("record of %d bytes came as %d", len(data), m.N)
					}
					copy(buf[m.N:], full(t, r.server, len(data)-m.N))
					if !bytes.Equal(buf, data) {
						t.Error("not what was sent")
					}
					if o := <-done; o.n != len(data) || o.err != nil {
						t.Fatalf("%+v", o)
					}
					packets := r.clientPipe.written(wire.Data)
					for i, p := range packets {
						first, last := i == 0, i == len(packets)-1
						if (p.Records > 0) != first || typ == sock.Seqpacket &&
							((p.Flags&wire.More == 0) != last || (p.Flags&wire.Continued == 0) != first) {
							t.Errorf("packet %d of %d has %d records and flags %#x", i, len(packets), p.Records, p.Flags)
						}
						if min := wire.MinPayload; !last && len(p.Payload) < min {
							t.Errorf("packet %d has only %d bytes of payload", i, len(p.Payload))
						}
					}
				})
			})
		}
	}
}

// The pieces of one message stay together, whoever else writes: on the real pipe.
func TestS4PiecesStayTogether(t *testing.T) {
	server, client := dialled(t, sock.Stream)
	const writers, length = 4, 150000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			b := bytes.Repeat([]byte{byte('a' + w)}, length)
			if n, err := client.Write(b); n != length || err != nil {
				t.Error(n, err)
			}
		})
	}
	got := full(t, server, writers*length)
	wg.Wait()
	if runs := len(slices.Compact(got)); runs != writers {
		t.Errorf("%d runs of bytes by %d writers", runs, writers)
	}
}

// Row 171, S4: a record is reassembled whole, also by a Read that waited for it.
func TestS4RecordsAreReassembledWhole(t *testing.T) {
	for _, n := range []int{0, 1, wire.MaxPayload, wire.MaxPayload + 1, 3 * wire.MaxPayload} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			server, client := dialled(t, sock.Seqpacket)
			want := make([]byte, n)
			for i := range want {
				want[i] = byte(i * 31 / 7)
			}
			for round := range 3 { // the first is taken by the reader, a later one by the Read itself
				sent := make(chan error, 1)
				go func() { _, err := client.Write(want); sent <- err }()
				buf := make([]byte, n+1)
				m, err := server.Recv(buf, false)
				if err != nil || m.N != n || m.Truncated {
					t.Fatalf("round %d: %+v, %v", round, m, err)
				}
				if !bytes.Equal(buf[:n], want) {
					t.Fatalf("round %d: the record was garbled", round)
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Row 49: the largest record, and one byte more, which leaves nothing behind.
func TestS4RecordTooLarge(t *testing.T) {
	bubble(t, onWindows, sock.Seqpacket, func(t *testing.T, r *rig) {
		if err := r.client.SetWriteBuffer(20000); err != nil {
			t.Fatal(err)
		}
		files := r.open(r.clientProc, descriptor.File, 2)
		if n, err := r.client.Send(make([]byte, 40000-31), files, nil); n != 0 || err != syscall.EMSGSIZE {
			t.Errorf("%d, %v, want EMSGSIZE", n, err)
		}
		if got := r.extra(r.serverProc) + r.extra(r.clientProc); got != 0 {
			t.Errorf("%d descriptors are left", got)
		}
		send(t, r.client, strings.Repeat("x", 40000-32))
		recv(t, r.server, strings.Repeat("x", 40000-32), 0)
	})
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

// Admin packets are marked, run in the same pipe, and are taken in while data is stuck and the user reads nothing.
func TestS6AdminPacketsAreNeverStuckBehindData(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		stuck := start(func() (int, error) { return r.client.Write(make([]byte, 2<<20)) })
		r.pending(stuck, "a write beyond the window")
		// The server reads nothing, and its own message with descriptors is acknowledged all the same, and its shutdown seen.
		send(t, r.server, "x", r.open(r.serverProc, descriptor.File, 1)...)
		if err := r.server.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if o := <-stuck; o.err != syscall.EPIPE {
			t.Errorf("%+v, want EPIPE", o)
		}
		recv(t, r.client, "x", 1).Close()
		for _, p := range []*fakePipe{r.serverPipe, r.clientPipe} {
			for _, packet := range p.written(0) {
				if packet.Type.Admin() == (packet.Type == wire.Data) {
					t.Errorf("packet of type %#x", packet.Type)
				}
			}
		}
	})
}

// What the transport owes is written before any data that waits for the same room.
func TestS6AdminPacketsGoFirst(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		if _, err := r.client.Write([]byte("fills the pipe")); err != nil {
			t.Fatal(err)
		}
		stuck := start(func() (int, error) { return r.client.Write([]byte("waits")) })
		r.pending(stuck, "a write to a full pipe")
		sent := start(func() (int, error) {
			return r.server.Send([]byte("y"), r.open(r.serverProc, descriptor.File, 1), nil)
		})
		r.pending(sent, "a send that nobody can acknowledge")
		r.serverPipe.limit(0)
		r.serverPipe.letGo()
		if o := <-stuck; o.err != nil {
			t.Errorf("%+v", o)
		}
		if o := <-sent; o.err != nil {
			t.Errorf("%+v", o)
		}
		all := r.clientPipe.written(0)
		if got := all[len(all)-2].Type; got != wire.Ack {
			t.Errorf("type %#x came before the data that waited, want the acknowledgement", got)
		}
		recv(t, r.client, "y", 1).Close()
		recv(t, r.server, "fills the pipewaits", 0)
	})
}

// Each row of the table in WINDOWS.md, and Linux, end to end.
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

// Credentials are what the system says of the process that said hello, and the proof in the hello is only a hint to it.
func TestP2IdentityIsTheSystemsWord(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		for _, tt := range []struct {
			conn  *endpoint.Conn
			pipe  *fakePipe
			pid   int
			proof string
		}{{r.server, r.serverPipe, 200, "client"}, {r.client, r.clientPipe, 100, "server"}} {
			if who, err := tt.conn.PeerCredentials(); err != nil || who.PID != tt.pid {
				t.Errorf("peer is %+v, %v, want PID %d", who, err, tt.pid)
			}
			if len(tt.pipe.proofs) != 1 || string(tt.pipe.proofs[0]) != tt.proof {
				t.Errorf("identified by %q, want once by %q", tt.pipe.proofs, tt.proof)
			}
		}
	})
}

// A client that cannot show that it is the process which it named gets no further.
func TestP2WhoCannotProveItselfIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
		r.serverPipe.unproved = true
		r.source.pipes <- r.serverPipe
		client, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream))
		if err != nil {
			t.Fatal(err)
		}
		r.client = client
		if c, err := r.listener.Accept(); err != nil {
			t.Fatal(err)
		} else {
			r.server = c.(*endpoint.Conn)
		}
		if _, err := r.server.Read(make([]byte, 9)); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("%v, want EPROTO", err)
		}
	})
}

// A process that the system cannot name, or whose proof is wrong, is no peer, on either side.
func TestP2UnknownProcessIsRefused(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
				want := error(syscall.ECONNREFUSED)
				if side == "server" {
					r.serverPipe.identify = syscall.EACCES
				} else {
					r.clientPipe.identify, want = syscall.EACCES, syscall.EACCES
				}
				r.source.pipes <- r.serverPipe
				if _, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream)); err != want {
					t.Errorf("%v, want %v", err, want)
				}
			})
		})
	}
}

// Authorize sees whom the system names, on both sides, before any byte of the user's moves.
func TestAuthorizeRefuses(t *testing.T) {
	refusal := errors.New("not you")
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				var asked []int
				refuse := func(who cred.Credentials) error { asked = append(asked, who.PID); return refusal }
				config := r.config(r.clientProc, sock.Stream)
				want, pid := error(syscall.ECONNREFUSED), 200
				if side == "server" {
					r.listener.Close()
					r.source = newFakeSource()
					cfg := r.config(r.serverProc, sock.Stream)
					cfg.Authorize = refuse
					r.listener = endpoint.Listen(r.source, cfg, 0)
				} else {
					config.Authorize, want, pid = refuse, refusal, 100
				}
				r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
				r.source.pipes <- r.serverPipe
				if c, err := endpoint.Dial(context.Background(), r.clientPipe, config); c != nil || !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				if !slices.Equal(asked, []int{pid}) {
					t.Errorf("asked about %v, want %d", asked, pid)
				}
				if !r.clientPipe.isClosed() {
					t.Error("the refused client's pipe is open")
				}
				synctest.Wait()
				if side == "client" {
					return // the server has a connection that ends at once
				}
				r.listener.SetDeadline(time.Now())
				if c, err := r.listener.Accept(); err == nil {
					t.Errorf("a refused connection was accepted: %v", c)
				}
				if !r.serverPipe.isClosed() {
					t.Error("the refusing server's pipe is open")
				}
			})
		})
	}
}

// Two sides that both send descriptors into full queues both come back: nobody stops reading the pipe.
func TestP5BothSidesSendIntoFullPipes(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
				r.serverPipe.limit(1)
				r.clientPipe.limit(1)
				const rounds = 100
				flood := func(c *endpoint.Conn, files []transport.File) <-chan outcome {
					return start(func() (int, error) {
						for i := range rounds {
							if n, err := c.Send([]byte("x"), files, nil); err != nil {
								return i, fmt.Errorf("%d: %w", n, err)
							}
						}
						return rounds, nil
					})
				}
				a := flood(r.server, r.open(r.serverProc, descriptor.File, 3))
				b := flood(r.client, r.open(r.clientProc, descriptor.File, 3))
				for _, done := range []<-chan outcome{a, b} {
					if o := <-done; o.err != nil {
						t.Errorf("%+v", o)
					}
				}
				for range rounds {
					recv(t, r.server, "x", 3).Close()
					recv(t, r.client, "x", 3).Close()
				}
			})
		})
	}
}

// Two sides that both write more than fits, and read later, both come back, in a pipe of one packet.
func TestP5BothSidesWriteThenRead(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.limit(1)
		r.clientPipe.limit(1)
		const n = 3 << 20
		var done []<-chan outcome
		for _, c := range []*endpoint.Conn{r.server, r.client} {
			done = append(done, start(func() (int, error) { return c.Write(make([]byte, n)) }))
		}
		r.pending(done[0], "a write of more than fits")
		for _, c := range []*endpoint.Conn{r.client, r.server} {
			full(t, c, n)
		}
		for _, d := range done {
			if o := <-d; o.n != n || o.err != nil {
				t.Errorf("%+v", o)
			}
		}
	})
}

// A writer does not run away from a peer that reads nothing: what is under way is bounded by the window, in bytes and in
// descriptors.
func TestP5WhatIsUnderWayIsBounded(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := r.client.Write(make([]byte, 4<<20))
		if n > sock.MaxWindow+wire.MaxPacket || n < sock.DefaultWindow/2 || !isTimeout(err) {
			t.Errorf("wrote %d into a window of %d, %v", n, sock.DefaultWindow, err)
		}
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		files := r.open(r.serverProc, descriptor.File, 100)
		sent := 0
		for err = nil; err == nil; sent++ {
			_, err = r.server.Send([]byte("x"), files, nil)
		}
		if sent-1 != sock.RightsWindow/100 || !isTimeout(err) {
			t.Errorf("%d messages of 100 descriptors went, %v", sent-1, err)
		}
		if got := r.extra(r.clientProc); got > sock.RightsWindow {
			t.Errorf("%d descriptors were adopted ahead of the reader", got)
		}
	})
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A window that is made smaller after much has been read does not hold up its writer for ever.
func TestP5SmallerWindowDoesNotHoldUpTheWriter(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		const n = 50000 // less than what is worth a credit packet
		if _, err := r.client.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		full(t, r.server, n)
		if err := r.client.SetWriteBuffer(4096); err != nil {
			t.Fatal(err)
		}
		r.client.SetWriteDeadline(time.Now().Add(time.Minute))
		if _, err := r.client.Write([]byte("more")); err != nil {
			t.Errorf("everything has been read, and a write says %v", err)
		}
	})
}
