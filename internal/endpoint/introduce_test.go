package endpoint_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/simproc"
	"afunix/internal/sock"
)

// A neighbourhood is a Network of fake pipes within one process.
type neighbourhood struct {
	process *simproc.Process
	sources map[string]*fakeSource
	dialled map[string]*fakePipe // the sender's end of the last link to a name
}

const chosenName = "@chosen"

func newNeighbourhood() *neighbourhood {
	return &neighbourhood{simproc.New("process"), make(map[string]*fakeSource), make(map[string]*fakePipe)}
}

func (n *neighbourhood) Find(string) (endpoint.Place, error) { return endpoint.Place{}, nil }

func (n *neighbourhood) Dial(_ context.Context, name string) (endpoint.Pipe, error) {
	server, client := newFakePipe(onLinux, n.process, n.process)
	n.sources[name].pipes <- server
	n.dialled[name] = client
	return client, nil
}

func (n *neighbourhood) Listen(name string) (endpoint.Source, string, error) {
	if name == "" {
		name = chosenName
	}
	n.sources[name] = newFakeSource()
	return n.sources[name], name, nil
}

// A socket that chooses its name when it sends (row 75) does not wait for those whom it has sent to before, of whom one may be suspended. They
// see the name all the same.
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
