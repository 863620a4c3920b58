package endpoint_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/sock"
)

// A neighbourhood is a Network of fake pipes within one process, unless those who have names are in
// another.
type neighbourhood struct {
	process *simproc.Process
	others  *simproc.Process // where the names are
	slow    time.Duration    // how long it takes to dial

	mu      sync.Mutex
	sources map[string]*fakeSource
	dialled map[string]*fakePipe // the sender's end of the last link to a name
}

const chosenName = "@chosen"

func newNeighbourhood() *neighbourhood {
	p := simproc.New("process")
	return &neighbourhood{process: p, others: p, sources: make(map[string]*fakeSource), dialled: make(map[string]*fakePipe)}
}

func (n *neighbourhood) Find(string) (pipe.Place, error) { return pipe.Place{}, nil }

func (n *neighbourhood) Dial(_ context.Context, name string) (pipe.Pipe, error) {
	defer time.Sleep(n.slow)
	n.mu.Lock()
	defer n.mu.Unlock()
	server, client := newFakePipe(onLinux, n.others, n.process)
	n.sources[name].pipes <- server
	n.dialled[name] = client
	return client, nil
}

func (n *neighbourhood) Listen(name string) (pipe.Source, string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name == "" {
		name = chosenName
	}
	n.sources[name] = newFakeSource()
	return n.sources[name], name, nil
}

// A socket that chooses its name when it sends (row 75) does not wait for those whom it has sent to
// before, of whom one may be suspended. They see the name all the same.
func TestASocketThatChoosesItsNameWaitsForNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // virtual: longer than anything lingers
		n := newNeighbourhood()
		cfg := endpoint.Config{Type: sock.Datagram, Table: n.process}
		receivers := make(map[string]*endpoint.PacketConn)
		for _, name := range []string{"@first", "@second"} {
			r, err := endpoint.ListenPacket(n, name, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			receivers[name] = r
		}
		s, err := endpoint.DialPacket(t.Context(), n, false, "", "@first", cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		send(t, s, "to the first")
		n.dialled["@first"].hold() // it says nothing any more
		if err := s.SetPassCredentials(true); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := s.Send([]byte("to the second"), nil, &net.UnixAddr{Name: "@second", Net: "unixgram"}); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(begin); late > 0 {
			t.Errorf("the send took %v", late)
		}
		synctest.Wait()
		for name, r := range receivers {
			m, err := r.Recv(make([]byte, 100), false)
			if err != nil || m.From == nil || m.From.Name != chosenName {
				t.Errorf("%s has a datagram from %v, %v; want %s", name, m.From, err, chosenName)
			}
		}
	})
}

// A socket may choose its name while another of its sends opens a link.
func TestANameIsChosenWhileALinkIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // virtual: longer than anything lingers
		n := newNeighbourhood()
		cfg := endpoint.Config{Type: sock.Datagram, Table: n.process}
		for _, name := range []string{"@first", "@second"} {
			r, err := endpoint.ListenPacket(n, name, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
		}
		s, err := endpoint.DialPacket(t.Context(), n, false, "", "@first", cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		n.slow = time.Second
		sent := start(func() (int, error) {
			return s.Send([]byte("x"), nil, &net.UnixAddr{Name: "@second", Net: "unixgram"})
		})
		time.Sleep(n.slow / 2)
		if err := s.SetPassCredentials(true); err != nil {
			t.Fatal(err)
		}
		send(t, s, "y")
		if o := <-sent; o.err != nil {
			t.Fatal(o.err)
		}
	})
}

// A datagram that is in the pipe when its receiver dies has been sent, as in the kernel: who has
// the name next does not get it, too.
func TestADatagramGoesToOneOwnerOfAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // virtual: longer than anything lingers
		const name = "@name"
		n := newNeighbourhood()
		n.others = simproc.New("first owner")
		owner := func() *endpoint.PacketConn {
			r, err := endpoint.ListenPacket(n, name, endpoint.Config{Type: sock.Datagram, Table: n.others})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := owner()
		s, err := endpoint.ListenPacket(n, "@sender", endpoint.Config{Type: sock.Datagram, Table: n.process})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sendTo := func(text string) (int, error) {
			return s.Send([]byte(text), nil, &net.UnixAddr{Name: name, Net: "unixgram"})
		}
		if _, err := sendTo("opens the link"); err != nil {
			t.Fatal(err)
		}
		link := n.dialled[name]
		link.peer.hold() // the first owner hears no more
		sent := start(func() (int, error) { return sendTo("x") })
		synctest.Wait()
		n.others.Kill()
		n.others = simproc.New("next owner")
		next := owner()
		defer next.Close()
		link.peer.Close()
		if o := <-sent; o.n != 1 || o.err != nil {
			t.Errorf("%+v", o)
		}
		first.Close()
		if _, err := sendTo("y"); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 9)
		if n, err := next.Read(buf); string(buf[:n]) != "y" || err != nil {
			t.Errorf("the next owner has %q, %v", buf[:n], err)
		}
	})
}
