package endpoint_test

import (
	"testing"
	"testing/synctest"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Admin packets are under no window, so a peer may send them without end. A call that takes in what
// is in the pipe does not wait for an end of that: it looks at no more packets than there can be of
// a peer that keeps to the rules.
func TestP7FloodOfAdminPackets(t *testing.T) {
	const most = floodEnds / 2 // the reader takes in some, too
	options := wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.DefaultWindow)}
	for name, call := range map[string]func(t *testing.T, r *rig, c *endpoint.Conn) error{
		"Accept": nil,
		"Read": func(_ *testing.T, _ *rig, c *endpoint.Conn) error {
			_, err := c.Read(make([]byte, 100))
			return err
		},
		"an empty Write":    func(_ *testing.T, _ *rig, c *endpoint.Conn) error { _, err := c.Write(nil); return err },
		"Close":             func(_ *testing.T, _ *rig, c *endpoint.Conn) error { return c.Close() },
		"Close of listener": func(_ *testing.T, r *rig, _ *endpoint.Conn) error { return r.listener.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
				s.forgets, c.forgets = true, true
				r.source.pipes <- s
				e := &enemy{t: t, pipe: c}
				e.hello(sock.Stream, nil)
				e.welcomed()
				e.ready()
				e.packet(plainData)
				synctest.Wait()
				var conn *endpoint.Conn
				begin := func() { s.set(func() { s.flood = options.Append(nil) }) }
				if name == "Accept" || name == "Close of listener" {
					begin()
				}
				if name != "Close of listener" {
					accepted, err := r.listener.Accept()
					if err != nil {
						t.Fatal(err)
					}
					conn = accepted.(*endpoint.Conn)
					defer conn.Close()
				}
				if call != nil {
					begin()
					if err := call(t, r, conn); err != nil {
						t.Error(err)
					}
				}
				s.line.Lock()
				came := s.flooded
				s.line.Unlock()
				if came > most {
					t.Errorf("%d packets were taken in", came)
				}
				s.set(func() { s.flood = nil })
				c.Close()
			})
		})
	}
}
