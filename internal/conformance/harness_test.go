package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

const (
	patience = 20 * time.Second      // bounds every wait that should end
	moment   = 50 * time.Millisecond // how long a call that has to wait is watched
)

// children are the main functions of the second process: the test binary starts itself.
var children = map[string]func(e childEnv) error{}

func TestMain(m *testing.M) {
	mains := make(map[string]func(args []string) error)
	for name, f := range children {
		mains[name] = func(args []string) error { return f(parseChildEnv(args)) }
	}
	testchild.Main(m, mains)
}

// A childEnv is what a second process knows.
type childEnv struct {
	transport     afunix.Transport
	network, path string
}

func parseChildEnv(args []string) childEnv {
	e := childEnv{afunix.KernelTransport, args[1], args[2]}
	if args[0] == afunix.PipeTransport.String() {
		e.transport = afunix.PipeTransport
	}
	return e
}

func (e childEnv) dial() (*afunix.Conn, error) {
	return (&afunix.Dialer{Transport: e.transport, Timeout: patience}).DialContext(context.Background(), e.network, e.path)
}

// child prepares a second process that runs one of the children.
func (e *env) child(name, path string) *exec.Cmd {
	cmd := testchild.Command(e.Context(), name, e.transport.String(), e.network, e.front(path))
	cmd.Stderr = os.Stderr
	return cmd
}

// An env is one run of a row: on one transport, for one type of socket.
type env struct {
	*testing.T
	transport afunix.Transport
	network   string
	dir       string
	paths     int               // in dir
	bound     map[string]bool   // where something listens
	fronts    map[string]string // the relays in front of what listens
}

var networks = map[rune]string{'s': "unix", 'd': "unixgram", 'q': "unixpacket"}

// each runs a row for every type in types, on every transport that has it. The rows are Linux's:
// other kernels differ.
func each(t *testing.T, types string, test func(e *env)) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("this kernel is not Linux, and is not held to its ways; nor is there a pipe transport here")
	}
	for _, tr := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		for _, typ := range types {
			network := networks[typ]
			t.Run(tr.String()+"/"+network, func(t *testing.T) {
				a, b, err := tr.Pair(network)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip("this system lacks it")
				}
				if err != nil {
					t.Fatal(err)
				}
				a.Close()
				b.Close()
				skipForRelay(t)
				test(&env{T: t, transport: tr, network: network, bound: map[string]bool{}, fronts: map[string]string{}})
			})
		}
	}
}

// eachPassing is each for rows of messages with descriptors.
func eachPassing(t *testing.T, types string, test func(e *env)) {
	each(t, types, func(e *env) {
		if e.pipe() {
			testenv.NeedPipeRights(e)
		}
		test(e)
	})
}

// notObservable ends the test of a row that no program can see through this API.
func notObservable(t *testing.T, why string) {
	t.Helper()
	t.Skip("not observable: " + why)
}

// differs ends the test of a row in which this transport cannot do as the kernel does.
func (e *env) differs(why string) {
	e.Helper()
	e.Skip("differs: " + why)
}

func (e *env) pipe() bool      { return e.transport == afunix.PipeTransport }
func (e *env) stream() bool    { return e.network == "unix" }
func (e *env) datagram() bool  { return e.network == "unixgram" }
func (e *env) seqpacket() bool { return e.network == "unixpacket" }

func (e *env) check(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// fails expects an error.
func (e *env) fails(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%v; want %v", err, want)
	}
}

// closing closes c at the end of the test. No call on it lasts.
func (e *env) closing(c *afunix.Conn, err error) *afunix.Conn {
	e.Helper()
	e.check(err)
	e.Cleanup(func() { c.Close() })
	e.check(c.SetDeadline(time.Now().Add(patience)))
	return c
}

func (e *env) pair() (a, b *afunix.Conn) {
	e.Helper()
	if relayCommand != "" {
		return e.relayedPair()
	}
	a, b, err := e.transport.Pair(e.network)
	return e.closing(a, err), e.closing(b, err)
}

// path returns a new path for a socket.
func (e *env) path() string {
	if e.dir == "" {
		e.dir = testenv.TempDir(e)
	}
	e.paths++
	return filepath.Join(e.dir, fmt.Sprint("s", e.paths))
}

func (e *env) config() *afunix.ListenConfig { return &afunix.ListenConfig{Transport: e.transport} }

func (e *env) listen(addr string) *afunix.Listener {
	e.Helper()
	return e.listenWith(e.config(), addr)
}

func (e *env) listenWith(lc *afunix.ListenConfig, addr string) *afunix.Listener {
	e.Helper()
	l, err := lc.Listen(e.Context(), e.network, addr)
	e.check(err)
	e.bound[addr] = true
	e.Cleanup(func() { l.Close() })
	e.check(l.SetDeadline(time.Now().Add(patience)))
	return l
}

func (e *env) listenPacket(addr string) *afunix.Conn {
	e.Helper()
	c, err := e.config().ListenPacket(e.Context(), e.network, addr)
	return e.closing(c, err)
}

// bind makes a socket that has the name: a listener, or a datagram socket.
func (e *env) bind(addr string) (io.Closer, error) {
	e.bound[addr] = true
	if e.datagram() {
		return closer(e.config().ListenPacket(e.Context(), e.network, addr))
	}
	return closer(e.config().Listen(e.Context(), e.network, addr))
}

func closer[C io.Closer](c C, err error) (io.Closer, error) { return c, err }

func (e *env) tryDial(addr string) (*afunix.Conn, error) {
	return (&afunix.Dialer{Transport: e.transport}).DialContext(e.Context(), e.network, addr)
}

func (e *env) dial(addr string) *afunix.Conn {
	e.Helper()
	c, err := e.tryDial(e.front(addr))
	return e.closing(c, err)
}

// dialFrom dials from a socket that is bound.
func (e *env) dialFrom(local, addr string) *afunix.Conn {
	e.Helper()
	d := afunix.Dialer{Transport: e.transport, LocalAddr: e.addr(local)}
	c, err := d.DialContext(e.Context(), e.network, e.front(addr))
	return e.closing(c, err)
}

func (e *env) addr(name string) *net.UnixAddr { return &net.UnixAddr{Name: name, Net: e.network} }

func (e *env) accept(l *afunix.Listener) *afunix.Conn {
	e.Helper()
	c, err := l.AcceptConn()
	return e.closing(c, err)
}

// connect returns a client and the accepted end.
func (e *env) connect() (client, server *afunix.Conn) {
	e.Helper()
	l := e.listen(e.path())
	client = e.dial(l.Addr().String())
	return client, e.accept(l)
}

func (e *env) send(c *afunix.Conn, data string, files ...afunix.Sendable) {
	e.Helper()
	if n, err := c.WriteMsg([]byte(data), files...); n != len(data) || err != nil {
		e.Fatalf("WriteMsg = %d, %v; want %d", n, err, len(data))
	}
}

func (e *env) sendTo(c *afunix.Conn, addr, data string, files ...afunix.Sendable) {
	e.Helper()
	if n, err := c.WriteMsgTo([]byte(data), e.addr(addr), files...); n != len(data) || err != nil {
		e.Fatalf("WriteMsgTo = %d, %v; want %d", n, err, len(data))
	}
}

// recv expects data, with so many descriptors, of a receive into size bytes.
func (e *env) recv(c *afunix.Conn, size int, data string, rights int) afunix.Message {
	e.Helper()
	m, err := c.ReadMsg(make([]byte, size))
	return e.got(m, err, data, rights)
}

func (e *env) peek(c *afunix.Conn, size int, data string, rights int) afunix.Message {
	e.Helper()
	m, err := c.PeekMsg(make([]byte, size))
	return e.got(m, err, data, rights)
}

func (e *env) got(m afunix.Message, err error, data string, rights int) afunix.Message {
	e.Helper()
	e.Cleanup(func() { m.Rights.Close() })
	if err != nil || string(m.Data) != data || m.Rights.Len() != rights {
		e.Fatalf("%q with %d descriptors, %v; want %q with %d", m.Data, m.Rights.Len(), err, data, rights)
	}
	return m
}

// read is read(2).
func (e *env) read(c *afunix.Conn, size int, want string) {
	e.Helper()
	b := make([]byte, size)
	if n, err := c.Read(b); string(b[:n]) != want || err != nil {
		e.Fatalf("Read = %q, %v; want %q", b[:n], err, want)
	}
}

// ends expects the end of the stream.
func (e *env) ends(c *afunix.Conn) {
	e.Helper()
	if n, err := c.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		e.Errorf("Read = %d, %v; want the end", n, err)
	}
}

// blocksReading expects that there is nothing to read, and no end.
func (e *env) blocksReading(c *afunix.Conn) {
	e.Helper()
	e.check(c.SetReadDeadline(time.Now().Add(moment)))
	if n, err := c.Read(make([]byte, 9)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		e.Errorf("Read = %d, %v; want it to wait", n, err)
	}
	e.check(c.SetReadDeadline(time.Now().Add(patience)))
}

// blocksWriting expects that there is no room for the message.
func (e *env) blocksWriting(c *afunix.Conn, data string) {
	e.Helper()
	e.check(c.SetWriteDeadline(time.Now().Add(moment)))
	if n, err := c.Write([]byte(data)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		e.Errorf("Write = %d, %v; want it to wait", n, err)
	}
	e.check(c.SetWriteDeadline(time.Now().Add(patience)))
}

// fill writes until a write has to wait, and returns how many did not.
func (e *env) fill(c *afunix.Conn, data string) (n int) {
	e.Helper()
	for {
		e.check(c.SetWriteDeadline(time.Now().Add(moment)))
		_, err := c.Write([]byte(data))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			e.check(c.SetWriteDeadline(time.Now().Add(patience)))
			return n
		}
		e.check(err)
		n++
	}
}

// A witness is a pipe whose reading end tells when the last copy of its writing end is closed
// ("pipe EOF").
type witness struct {
	e    *env
	r, w *os.File
}

func (e *env) witness() *witness {
	e.Helper()
	r, w, err := os.Pipe()
	e.check(err)
	e.Cleanup(func() { r.Close(); w.Close() })
	return &witness{e, r, w}
}

// released closes this process's own writing end, and expects that there is no other.
func (w *witness) released() {
	w.e.Helper()
	w.w.Close()
	end := make(chan error, 1)
	go func() {
		_, err := w.r.Read(make([]byte, 1))
		end <- err
	}()
	select {
	case <-end:
	case <-time.After(patience):
		w.e.Fatal("a copy of the descriptor is still open")
	}
}

// works writes through a received copy of the writing end, and reads.
func (w *witness) works(r afunix.Rights, i int) {
	w.e.Helper()
	f, err := r.File(i)
	w.e.check(err)
	defer f.Close()
	_, err = f.Write([]byte("w"))
	w.e.check(err)
	_, err = io.ReadFull(w.r, make([]byte, 1))
	w.e.check(err)
}

// file returns an open file with the text, to be read from the start.
func (e *env) file(text string) *os.File {
	e.Helper()
	f, err := os.Create(e.path())
	e.check(err)
	e.Cleanup(func() { f.Close() })
	_, err = f.WriteString(text)
	e.check(err)
	_, err = f.Seek(0, io.SeekStart)
	e.check(err)
	return f
}

// textOf returns what a received file holds.
func (e *env) textOf(r afunix.Rights, i int) string {
	e.Helper()
	f, err := r.File(i)
	e.check(err)
	defer f.Close()
	b, err := io.ReadAll(f)
	e.check(err)
	return string(b)
}

func second[T any](_ T, err error) error { return err }

// goneFor is what sending to a socket that was closed says.
func (e *env) goneFor() error {
	if e.datagram() {
		return syscall.ECONNREFUSED
	}
	return syscall.EPIPE
}

func long(n int) string { return strings.Repeat("x", n) }
