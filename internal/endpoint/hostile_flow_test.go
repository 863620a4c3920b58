package endpoint_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Acknowledgements and credit that were not earned, and more than either allows: Outbox.Ack,
// Outbox.Credit, Inbox.Admit and Inbox.SetWindow.

var flows = map[string]attack{
	"acknowledgement of what was never sent":   {says: "protocol error: acknowledgement of what was never sent", do: func(e *enemy) { e.packet(ack(1)) }},
	"acknowledgement of nothing":               {says: "protocol error: acknowledgement of what was never sent", do: func(e *enemy) { e.packet(ack(0)) }},
	"acknowledgement from the far future":      {says: "protocol error: acknowledgement of what was never sent", do: func(e *enemy) { e.packet(ack(1<<64 - 1)) }},
	"credit that was never earned":             {says: "protocol error: credit for what was never sent", do: func(e *enemy) { e.packet(credit(1, 1000)) }},
	"all credit there is":                      {says: "protocol error: credit for what was never sent", do: func(e *enemy) { e.packet(credit(1<<64-1, 1<<64-1)) }},
	"descriptors taken back from the grant":    {says: "protocol error: credit for what was never sent", do: func(e *enemy) { e.packet(credit(0, 999)) }},
	"a grant that is taken back when it wraps": {says: "protocol error: credit for what was never sent", do: func(e *enemy) { e.packet(credit(0, 1<<64-1)); e.packet(credit(0, 0)) }},
	"a window that is too small": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.MinWindow-1)})
	}},
	"a window that is too large": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.MaxWindow+1)})
	}},
	"data beyond the window": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		big := wire.Packet{Type: wire.Data, Payload: make([]byte, wire.MaxPayload)}
		for range sock.MaxWindow/wire.MaxPayload + 2 {
			e.packet(big)
		}
	}},
	"more descriptors than were granted": {says: "protocol error: more descriptors than were allowed", do: func(e *enemy) {
		for i := range uint64(sock.RightsWindow/descriptor.Max + 2) {
			e.packet(withRecords(i+1, descriptor.Max, e.own()))
		}
	}},
}

var flowsOfRecords = map[string]attack{
	"empty packets beyond the window": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		for range sock.MaxWindow/768 + 2 {
			e.packet(wire.Packet{Type: wire.Data})
		}
	}},
	"a message that never ends": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		p := wire.Packet{Type: wire.Data, Flags: wire.More, Payload: make([]byte, wire.MaxPayload)}
		for range sock.MaxWindow/wire.MaxPayload + 2 {
			e.packet(p)
			p.Flags = wire.More | wire.Continued
		}
	}},
	"a message of countless pieces": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		p := wire.Packet{Type: wire.Data, Flags: wire.More}
		for range 1000 {
			e.packet(p)
			p.Flags = wire.More | wire.Continued
		}
	}},
}

func ack(serial uint64) wire.Packet { return wire.Packet{Type: wire.Ack, Serial: serial} }

func TestP7CreditThatWasNotEarned(t *testing.T) {
	assail(t, on(sock.Stream, flows))
	assail(t, on(sock.Seqpacket, flowsOfRecords))
}

// A peer that lies after a descriptor of ours is under way: the send says EPIPE beside its length,
// since nobody knows what that peer has taken (P3), and its copies are released.
func TestP7AcknowledgementsThatOverlap(t *testing.T) {
	for name, acks := range map[string][]uint64{
		"of what comes next":       {2},
		"of what it has had twice": {1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				r.serverPipe.hold()
				sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
				r.pending(sent, "a send that nobody acknowledges")
				for _, serial := range acks {
					inject(t, r.serverPipe, ack(serial))
				}
				want := outcome{n: 1, err: syscall.EPIPE}
				if acks[0] == 1 {
					want = outcome{n: 1} // it has arrived; what comes after is another matter
				}
				if o := <-sent; o.n != want.n || o.err != want.err {
					t.Errorf("%+v", o)
				}
				if _, err := r.client.Read(make([]byte, 9)); !errors.Is(err, syscall.EPROTO) || !matches(err, "protocol error: acknowledgement of what was never sent") {
					t.Errorf("%v, want EPROTO", err)
				}
				synctest.Wait()
				if got := r.extra(r.clientProc); got != 0 {
					t.Errorf("%d copies are parked", got)
				}
			})
		})
	}
}

// A peer that never acknowledges holds up a send until its deadline, and the copies until the
// connection has been closed for five seconds. One that acknowledges and dies, or dies instead, has
// no more.
func TestP7PeerThatNeverAcknowledges(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil); n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
		if got := r.extra(r.clientProc); got != 3 {
			t.Errorf("%d copies are parked, want 3", got)
		}
		r.client.Close()
		time.Sleep(6 * time.Second) // virtual
		if got := r.extra(r.clientProc); got != 0 {
			t.Errorf("%d copies are parked after that", got)
		}
	})
}

func TestP7PeerThatAcknowledgesAndDies(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
		r.pending(sent, "a send that nobody acknowledges")
		inject(t, r.serverPipe, ack(1))
		r.serverPipe.Close()
		if o := <-sent; o.n != 1 || o.err != nil {
			t.Errorf("%+v", o)
		}
		if n, err := r.client.Write([]byte("x")); n != 0 || err != syscall.EPIPE {
			t.Errorf("%d, %v", n, err)
		}
		if got := r.extra(r.clientProc); got != 0 {
			t.Errorf("%d copies are parked", got)
		}
	})
}
