package apitest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

// children are the main functions of the second process: the test binary starts itself.
var children = map[string]func(args []string) error{}

func TestMain(m *testing.M) { testchild.Main(m, children) }

// child prepares a second process that runs one of the children.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	return testchild.Command(t.Context(), name, args...)
}

// patience bounds every wait that should not last.
const patience = 20 * time.Second

// each runs f for every network on every transport that has it.
func each(t *testing.T, networks []string, f func(t *testing.T, tr afunix.Transport, network string)) {
	for _, tr := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		for _, network := range networks {
			t.Run(tr.String()+"/"+network, func(t *testing.T) {
				a, b, err := tr.Pair(network)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip("not on this system")
				}
				if err != nil {
					t.Fatal(err)
				}
				a.Close()
				b.Close()
				f(t, tr, network)
			})
		}
	}
}

// eachPassing is each for tests that pass descriptors.
func eachPassing(t *testing.T, networks []string, f func(t *testing.T, tr afunix.Transport, network string)) {
	each(t, networks, func(t *testing.T, tr afunix.Transport, network string) {
		if tr == afunix.PipeTransport {
			testenv.NeedPipeRights(t)
		}
		f(t, tr, network)
	})
}

var (
	streams  = []string{"unix"}
	records  = []string{"unixgram", "unixpacket"}
	listened = []string{"unix", "unixpacket"}
	all      = []string{"unix", "unixgram", "unixpacket"}
)

// pair returns two connected sockets, which are closed when the test ends and never wait for long.
func pair(t *testing.T, tr afunix.Transport, network string) (a, b *afunix.Conn) {
	t.Helper()
	a, b, err := tr.Pair(network)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, a)
	guard(t, b)
	return a, b
}

func guard(t *testing.T, c *afunix.Conn) {
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

// socketPath returns a path for a socket.
func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(testenv.TempDir(t), "s")
}

func listen(t *testing.T, tr afunix.Transport, network, address string) *afunix.Listener {
	t.Helper()
	l, err := (&afunix.ListenConfig{Transport: tr}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return l
}

// connect returns the two ends of a connection that was dialled and accepted.
func connect(t *testing.T, tr afunix.Transport, network string) (client, server *afunix.Conn) {
	t.Helper()
	path := socketPath(t)
	l := listen(t, tr, network, path)
	client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, client)
	if server, err = l.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	guard(t, server)
	return client, server
}

func mustWriteMsg(t *testing.T, c *afunix.Conn, data string, files ...afunix.Sendable) {
	t.Helper()
	if n, err := c.WriteMsg([]byte(data), files...); n != len(data) || err != nil {
		t.Fatalf("WriteMsg = %d, %v; want %d", n, err, len(data))
	}
}

// mustReadMsg expects data and a number of descriptors. The Rights are closed when the test ends.
func mustReadMsg(t *testing.T, c *afunix.Conn, data string, rights int) afunix.Message {
	t.Helper()
	m, err := c.ReadMsg(make([]byte, 100))
	checkMsg(t, m, err, data, rights)
	return m
}

func checkMsg(t *testing.T, m afunix.Message, err error, data string, rights int) {
	t.Helper()
	t.Cleanup(func() { m.Rights.Close() })
	if err != nil || string(m.Data) != data || m.Rights.Len() != rights {
		t.Fatalf("message %q with %d descriptors, %v; want %q with %d", m.Data, m.Rights.Len(), err, data, rights)
	}
}

// A partner is a child with which the test exchanges lines.
type partner struct {
	t    *testing.T
	cmd  *exec.Cmd
	to   io.Writer
	from *bufio.Reader
}

func startPartner(t *testing.T, cmd *exec.Cmd) *partner {
	t.Helper()
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &partner{t, cmd, to, bufio.NewReader(from)}
}

func (p *partner) expect(line string) {
	p.t.Helper()
	if got, err := p.from.ReadString('\n'); got != line+"\n" {
		p.t.Fatalf("the child says %q, %v; want %q", got, err, line)
	}
}

func second[T any](_ T, err error) error { return err }
