package endpoint_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A rig is a connection over a fake pipe between two fake processes. It lives in a bubble of
// testing/synctest.
type rig struct {
	t                      *testing.T
	listener               *endpoint.Listener
	source                 *fakeSource
	server, client         *endpoint.Conn
	serverPipe, clientPipe *fakePipe
	serverProc, clientProc *simproc.Process
	files                  map[*simproc.Process][]uintptr
	left                   int // descriptors that a process may have at the end, beside what the test opened
}

// bubble runs a test in virtual time. All goroutines that it starts must end; if all of them wait
// for each other, it fails.
func bubble(t *testing.T, k kinship, typ sock.Type, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, typ)
		defer r.end()
		r.connect(k, typ)
		test(t, r)
	})
}

// newRig returns one that has nothing but a listener and two processes.
func newRig(t *testing.T, typ sock.Type) *rig {
	r := &rig{
		t:          t,
		source:     newFakeSource(),
		serverProc: simproc.New("server"),
		clientProc: simproc.New("client"),
		files:      make(map[*simproc.Process][]uintptr),
	}
	r.listener = endpoint.Listen(r.source, r.config(r.serverProc, typ), 0)
	return r
}

func (r *rig) config(p *simproc.Process, typ sock.Type) endpoint.Config {
	return endpoint.Config{Type: typ, Table: p, World: world(p)}
}

// connect makes the connection, and lets the handshake end.
func (r *rig) connect(k kinship, typ sock.Type) {
	r.t.Helper()
	r.connectBy(k, r.config(r.clientProc, typ))
}

// connectBy is connect for a client of that configuration.
func (r *rig) connectBy(k kinship, cfg endpoint.Config) {
	r.t.Helper()
	r.serverPipe, r.clientPipe = newFakePipe(k, r.serverProc, r.clientProc)
	r.source.pipes <- r.serverPipe
	var err error
	if r.client, err = endpoint.Dial(context.Background(), r.clientPipe, cfg); err != nil {
		r.t.Fatal(err)
	}
	c, err := r.listener.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = c.(*endpoint.Conn)
	for _, c := range []*endpoint.Conn{r.server, r.client} {
		c.SetDeadline(time.Now().Add(time.Hour)) // so that a call that is stuck fails alone
	}
	synctest.Wait()
}

// end closes everything, and looks whether anything is left.
func (r *rig) end() {
	r.t.Helper()
	for _, c := range []*endpoint.Conn{r.client, r.server} {
		if c != nil {
			c.Close()
		}
	}
	r.listener.Close()
	time.Sleep(time.Minute) // virtual: longer than anything lingers
	for p, files := range r.files {
		for _, v := range files {
			if p.Refers(v) != nil {
				p.Close(v, descriptor.File)
			}
		}
	}
	for _, p := range []*simproc.Process{r.serverProc, r.clientProc} {
		r.left -= p.Len()
		for _, f := range p.Faults() {
			r.t.Error(f)
		}
	}
	if r.left < 0 {
		r.t.Errorf("%d descriptors are left behind: server %#x, client %#x", -r.left, r.serverProc.Values(), r.clientProc.Values())
	}
}

// open opens n files of kind k in p.
func (r *rig) open(p *simproc.Process, k descriptor.Kind, n int) []transport.File {
	files := make([]transport.File, n)
	for i := range files {
		files[i].Value = p.Open(k)
		r.files[p] = append(r.files[p], files[i].Value)
	}
	return files
}

// extra is how many descriptors p has beside those that the test opened.
func (r *rig) extra(p *simproc.Process) int { return p.Len() - len(r.files[p]) }

// An outcome is that of a call on another goroutine.
type outcome struct {
	n   int
	err error
	at  time.Duration // since the call
}

// start calls f on another goroutine.
func start(f func() (int, error)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		begin := time.Now()
		n, err := f()
		done <- outcome{n, err, time.Since(begin)}
	}()
	return done
}

// pending fails if done has an outcome already, once everybody waits.
func (r *rig) pending(done <-chan outcome, what string) {
	r.t.Helper()
	synctest.Wait()
	select {
	case o := <-done:
		r.t.Fatalf("%s has returned: %+v", what, o)
	default:
	}
}

// recv receives what must be there.
func recv(t testing.TB, c *endpoint.Conn, want string, descs int) *descriptor.Set {
	t.Helper()
	buf := make([]byte, len(want)+1000)
	m, err := c.Recv(buf, false)
	if err != nil || string(buf[:m.N]) != want || m.Rights.Len() != descs {
		t.Fatalf("received %.40q (%d bytes) with %d descriptors, %v; want %.40q (%d bytes) with %d",
			buf[:m.N], m.N, m.Rights.Len(), err, want, len(want), descs)
	}
	return m.Rights
}

// truncated receives at the server what must be there, though its descriptors could not be
// installed.
func (r *rig) truncated(want string) {
	r.t.Helper()
	buf := make([]byte, 99)
	m, err := r.server.Recv(buf, false)
	if !errors.Is(err, descriptor.ErrRightsTruncated) || string(buf[:m.N]) != want || m.Rights != nil {
		r.t.Errorf("%q, %+v, %v; want %q without its descriptors", buf[:m.N], m, err, want)
	}
}

// send sends what must go.
func send(t testing.TB, c transport.Conn, data string, files ...transport.File) {
	t.Helper()
	if n, err := c.Send([]byte(data), files, nil); n != len(data) || err != nil {
		t.Fatalf("sent %d of %d, %v", n, len(data), err)
	}
}

// full reads n bytes.
func full(t testing.TB, c io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if got, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read %d of %d, %v", got, n, err)
	}
	return b
}

// inject writes a packet into p as if the engine at that end had done so.
func inject(t testing.TB, p pipe.Pipe, packet wire.Packet) {
	t.Helper()
	if err := p.Write(packet.AppendHead(nil), packet.Payload); err != nil {
		t.Fatal(err)
	}
}
