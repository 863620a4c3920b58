package endpoint_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// What one send makes: packets, as the rules S1 to S4 want them. A test whose name begins with that
// of a rule holds the engine to it; the rules are in docs/ARCHITECTURE.md.

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
