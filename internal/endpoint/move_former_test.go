package endpoint_test

import (
	"io"
	"syscall"
	"testing"
	"testing/synctest"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// arrives makes an end with that state come to the server, which takes it. It returns the pipe's
// other end, too.
func (r *rig) arrives(t *testing.T, s sock.ConnState) (end *endpoint.Conn, other *fakePipe) {
	t.Helper()
	here, other := newFakePipe(onWindows, r.serverProc, r.clientProc)
	v, err := r.clientProc.OpenObject(descriptor.EndKind(descriptor.Unix), fakeEnd{here})
	if err != nil {
		t.Fatal(err)
	}
	r.files[r.clientProc] = append(r.files[r.clientProc], v)
	s.End.Type, s.End.Server, s.End.PeerID = sock.Stream, true, 5
	s.In.Window, s.In.RightsWindow, s.In.RightsGranted = sock.DefaultWindow, sock.RightsWindow, sock.RightsWindow
	s.Out.Buffer = sock.DefaultBuffer
	record := wire.Record{Kind: uint8(descriptor.Unix), Owner: wire.End, Value: uint64(v)}
	r.clientPipe.hold() // which has sent nothing
	inject(t, r.clientPipe, wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: 1, Payload: wire.AppendConn(nil, &s)})
	inject(t, r.clientPipe, wire.Packet{Type: wire.Data, Serial: 1, Records: 1, Ancillary: record.Append(nil), Payload: []byte("x")})
	set := recv(t, r.server, "x", 1)
	err = set.Give(0, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error {
		end = e.(*endpoint.Conn)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return end, other
}

// answer is the hello of a peer that has not moved.
func answer() wire.Packet {
	h := wire.HelloBody{SocketType: uint8(sock.Stream), Window: sock.DefaultWindow, Rights: 1000, Socket: 5}
	return wire.Packet{Type: wire.Hello, Payload: h.Append(nil)}
}

// What the peer has said to the former owner of an end may come to the next one.
func TestAnEndThatHasMovedHearsWhatItsFormerOwnerWasTold(t *testing.T) {
	ready := wire.Packet{Type: wire.Ready, Payload: []byte{0}}
	t.Run("a ready", func(t *testing.T) {
		bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
			end, other := r.arrives(t, sock.ConnState{})
			defer end.Close()
			inject(t, other, ready)
			synctest.Wait()
			other.Answer()
			inject(t, other, answer())
			inject(t, other, ready)
			inject(t, other, wire.Packet{Type: wire.Data, Payload: []byte("y")})
			recv(t, end, "y", 0)
		})
	})
	for name, gone := range map[string]sock.ConnState{
		"has said goodbye": {In: sock.InboxState{Shut: true, Ended: true, Gone: true}, Out: sock.OutboxState{Gone: true}},
		"has died":         {End: sock.EndState{Alone: true}, Out: sock.OutboxState{Gone: true}},
	} {
		t.Run("an answer, of a peer that "+name, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				end, other := r.arrives(t, gone)
				defer end.Close()
				other.Answer()
				if gone.In.Gone {
					other.peer.identify = syscall.EPERM // for its process is another one's by now
				}
				inject(t, other, answer())
				inject(t, other, ready)
				other.Close()
				synctest.Wait()
				if n, err := end.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("%d, %v, want EOF", n, err)
				}
			})
		})
	}
}
