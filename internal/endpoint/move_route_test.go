package endpoint_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A message waits, be it for an end that goes with it, and meanwhile the peer's end moves to a
// process that can do less. The descriptors travel by the route that was agreed on with that.
func TestDescriptorsTravelAsWasAgreedOnLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		table := &askedTable{Process: r.clientProc}
		cfg := r.config(r.clientProc, sock.Stream)
		cfg.Table = table
		r.connectBy(onWindows, cfg)
		r.serverPipe.hold()
		table.asked = func() { // for the kind of what is to be sent
			h, err := wire.ParseHello(r.serverPipe.written(wire.Hello)[0].Payload)
			if err != nil {
				t.Error(err)
			}
			h.Rights = 1 << 20
			r.serverPipe.Answer()
			inject(t, r.serverPipe, wire.Packet{Type: wire.Move, Serial: 1})
			inject(t, r.serverPipe, wire.Packet{Type: wire.Hello, Flags: wire.Moved | wire.FromServer, Payload: h.Append(nil)})
			inject(t, r.serverPipe, wire.Packet{Type: wire.Ready, Payload: []byte{byte(pipe.Trusts)}})
			synctest.Wait()
		}
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil); n != 1 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err)
		}
		got := r.clientPipe.written(wire.Data)
		if len(got) != 1 {
			t.Fatalf("%+v has been written", got)
		}
		if record, _, err := wire.ParseRecord(got[0].Ancillary); err != nil || record.Owner != wire.Receiver {
			t.Errorf("%+v, %v has been written, which only the former owner of the other end could have pulled", record, err)
		}
		r.left++ // what has been put into the next owner, who is nobody here
	})
}
