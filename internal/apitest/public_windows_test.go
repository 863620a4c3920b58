package apitest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/testenv"
)

func publicName() string { return `\\.\pipe\afunix-test-` + rand.Text() }

func listenPublic(t *testing.T, lc afunix.ListenConfig) (l *afunix.Listener, name string) {
	t.Helper()
	name = publicName()
	l, err := lc.Listen(t.Context(), "unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetDeadline(time.Now().Add(patience))
	return l, name
}

func acceptPublic(t *testing.T, l *afunix.Listener) *afunix.Conn {
	t.Helper()
	c, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

// publicPair returns both ends of the connection of a plain client.
func publicPair(t *testing.T) (server *afunix.Conn, client *os.File) {
	t.Helper()
	l, name := listenPublic(t, afunix.ListenConfig{})
	client = testenv.MustOpenPipe(t, name)
	client.SetDeadline(time.Now().Add(patience))
	return acceptPublic(t, l), client
}

// eachPublicPair runs f for a client of a listener, and for one that waited when that moved, whose
// end is read and written otherwise.
func eachPublicPair(t *testing.T, f func(t *testing.T, server *afunix.Conn, client *os.File)) {
	t.Run("own", func(t *testing.T) {
		server, client := publicPair(t)
		f(t, server, client)
	})
	t.Run("moved", func(t *testing.T) {
		l, name := listenPublic(t, afunix.ListenConfig{})
		client := testenv.MustOpenPipe(t, name)
		client.SetDeadline(time.Now().Add(patience))
		f(t, acceptPublic(t, receiveListener(t, l)), client)
	})
}

// expectRead expects that this comes next.
func expectText(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func mustWrite(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// At one address, clients of both kinds come to one listener. No byte tells them apart: to either
// the server speaks first.
func TestPublicNameHasTwoDoors(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	if l.Addr().String() != name || l.Transport() != afunix.PipeTransport {
		t.Errorf("listens at %v over %v", l.Addr(), l.Transport())
	}
	for range 3 {
		plain := testenv.MustOpenPipe(t, name)
		s := acceptPublic(t, l)
		if s.Transport() != afunix.PlainTransport || s.LocalAddr().String() != name || s.RemoteAddr().String() != "@" {
			t.Errorf("a plain client: %v, %v to %v", s.Transport(), s.LocalAddr(), s.RemoteAddr())
		}
		mustWrite(t, s, "hello")
		expectText(t, plain, "hello")
		mustWrite(t, plain, "and to you")
		expectText(t, s, "and to you")

		c, err := afunix.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		s = acceptPublic(t, l)
		if s.Transport() != afunix.PipeTransport || c.Transport() != afunix.PipeTransport {
			t.Errorf("an afunix client: %v, %v", s.Transport(), c.Transport())
		}
		w := testenv.NewWitness(t)
		mustWriteMsg(t, s, "hello", w.W)
		f, err := mustReadMsg(t, c, "hello", 1).Rights.File(0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		w.ExpectClosed(t)
	}
}

// Clients of both kinds that wait are accepted by turns, whoever comes in crowds.
func TestClientsOfBothDoorsTakeTurns(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	for range 10 {
		testenv.MustOpenPipe(t, name)
	}
	first := acceptPublic(t, l) // by now they are being taken in
	if first.Transport() != afunix.PlainTransport {
		t.Error(first.Transport())
	}
	c, err := afunix.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	for range 2 {
		if acceptPublic(t, l).Transport() == afunix.PipeTransport {
			return
		}
	}
	t.Error("two more plain clients were accepted before the other one")
}

// A name that somebody has is refused, and whoever has it sees no client.
func TestPublicNameThatIsTaken(t *testing.T) {
	s := testenv.NewPipeServer(t)
	_, err := afunix.Listen("unix", `\\.\pipe\`+s.Name)
	expectLookalike(t, err, "name of a pipe that is there already", syscall.EADDRINUSE)
	if s.Visited() {
		t.Error("the server of the pipe has seen a client")
	}

	l, name := listenPublic(t, afunix.ListenConfig{})
	for _, lc := range []afunix.ListenConfig{{}, {ReplaceStale: true}} {
		_, err = lc.Listen(t.Context(), "unix", name)
		expectLookalike(t, err, "name of a pipe that is there already", syscall.EADDRINUSE)
	}
	for _, network := range []string{"unixpacket", "unixgram"} {
		if network == "unixgram" {
			_, err = afunix.ListenPacket(network, name)
		} else {
			_, err = afunix.Listen(network, name)
		}
		expectLookalike(t, err, `at which only the network "unix" can listen`, syscall.EINVAL)
	}
	client := testenv.MustOpenPipe(t, name)
	server := acceptPublic(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = afunix.Listen("unix", name) // nobody could tell the connection from a server
	expectLookalike(t, err, "of which there is a connection", syscall.EADDRINUSE)
	server.Close()
	client.Close()
	again, err := (&afunix.ListenConfig{ReplaceStale: true}).Listen(t.Context(), "unix", name)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// A name that no pipe can have is not in use: who would wait for it would wait for ever.
func TestPublicNameThatNoPipeCanHave(t *testing.T) {
	long := `\\.\pipe\` + strings.Repeat("x", 300)
	const says = "at most 256 characters with \\\\.\\pipe\\, and this one has 309"
	_, err := afunix.Listen("unix", long)
	expectLookalike(t, err, says, syscall.EINVAL)
	for _, tr := range []afunix.Transport{afunix.DefaultTransport, afunix.PipeTransport, afunix.PlainTransport} {
		expectLookalike(t, dialError(tr, "unix", long), says, syscall.EINVAL)
	}
	_, err = afunix.Listen("unix", `\\.\pipe\`)
	expectLookalike(t, err, "the name of a pipe is missing", syscall.EINVAL)
}

// To look at an address takes no client's place at it, and no listener sees a client come.
func TestLookingAtAPublicNameIsNotConnecting(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	for _, network := range []string{"unixpacket", "unixgram"} {
		for _, tr := range []afunix.Transport{afunix.DefaultTransport, afunix.PipeTransport, afunix.KernelTransport} {
			if err := dialError(tr, network, name); err == nil {
				t.Errorf("%s over %v: connected", network, tr)
			}
		}
	}
	afunix.Listen("unix", name)
	l.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if c, err := l.AcceptConn(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, %v; want nobody", c, err)
	}
}

// Authorize is asked about plain clients, too, and PeerCredentials tells who they are.
func TestPlainClientIsKnown(t *testing.T) {
	var refuse atomic.Bool
	var seen atomic.Pointer[afunix.Credentials]
	l, name := listenPublic(t, afunix.ListenConfig{Authorize: func(c afunix.Credentials) error {
		if seen.Store(&c); refuse.Load() {
			return errors.New("a stranger")
		}
		return nil
	}})
	p := startPartner(t, child(t, "plain client", name))
	p.expect("connected")
	c := acceptPublic(t, l)
	peer, err := c.PeerCredentials()
	if err != nil || peer.PID != p.cmd.Process.Pid || !peer.SameUser() || *seen.Load() != peer {
		t.Errorf("PeerCredentials: %+v, %v; want process %d; Authorize has seen %+v", peer, err, p.cmd.Process.Pid, seen.Load())
	}
	mustWrite(t, c, "you may go")
	c.Close()
	p.expect("you may go")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}

	refuse.Store(true)
	f := testenv.MustOpenPipe(t, name)
	f.SetDeadline(time.Now().Add(patience))
	if n, err := f.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		t.Errorf("a client that is refused reads %d bytes, %v", n, err)
	}
	refuse.Store(false)
	testenv.MustOpenPipe(t, name)
	acceptPublic(t, l)
	l.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if c, err := l.AcceptConn(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client that was refused: %v, %v", c, err)
	}
}

func init() {
	children["plain client"] = func(args []string) error {
		f, err := testenv.OpenPipe(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Println("connected")
		said, err := io.ReadAll(f)
		fmt.Printf("%s\n", said)
		return err
	}
}

// Close does not wait for Authorize, and a plain client about whom it takes long holds up nobody.
func TestAuthorizeThatTakesLongAboutAPlainClient(t *testing.T) {
	g := newSlowGuard(t)
	l, name := listenPublic(t, afunix.ListenConfig{Authorize: g.authorize})
	f := testenv.MustOpenPipe(t, name)
	f.SetDeadline(time.Now().Add(patience))
	<-g.asked
	testenv.MustOpenPipe(t, name)
	acceptPublic(t, l)
	if err := within(t, "Close", l.Close); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client about whom nothing was said reads: %v", err)
	}
	close(g.release)
}

// What a server wrote before it closed is there for the client, however late that reads.
func TestWhatWasWrittenOutlivesAPlainServer(t *testing.T) {
	for _, size := range []int{1, 60_000} {
		eachPublicPair(t, func(t *testing.T, server *afunix.Conn, client *os.File) { expectOutlived(t, server, client, size) })
	}
}

func expectOutlived(t *testing.T, server *afunix.Conn, client *os.File, size int) {
	text := bytes.Repeat([]byte("x"), size)
	if _, err := server.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "Close", server.Close); err != nil { // nobody has read anything yet
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, text) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, size)
	}
	if _, err := client.Write([]byte("x")); err == nil {
		t.Error("a write to a server that has closed succeeds")
	}
}

// A client that is gone has written what it has written.
func TestPlainClientThatIsGone(t *testing.T) {
	eachPublicPair(t, func(t *testing.T, server *afunix.Conn, client *os.File) {
		mustWrite(t, client, "bye")
		client.Close()
		if got, err := io.ReadAll(server); err != nil || string(got) != "bye" {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: %v, want EPIPE", err)
		}
	})

	l, name := listenPublic(t, afunix.ListenConfig{}) // it may be gone before anybody looks
	f, err := testenv.OpenPipe(name)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "bye")
	f.Close()
	if got, err := io.ReadAll(acceptPublic(t, l)); err != nil || string(got) != "bye" {
		t.Errorf("read %q, %v", got, err)
	}
}

// Close closes both doors, wakes whoever waits in Accept, and turns away whom nobody has accepted.
func TestCloseOfAListenerWithTwoDoors(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	l.SetDeadline(time.Time{})
	accepted := make(chan error, 1)
	wait := func() { _, err := l.AcceptConn(); accepted <- err }
	go wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "Accept", func() error { return <-accepted }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v", err)
	}
	if f, err := testenv.OpenPipe(name); err != windows.ERROR_FILE_NOT_FOUND {
		t.Errorf("the public name: %v, %v", f, err)
	}
	if err := dialError(afunix.DefaultTransport, "unix", name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Dial: %v", err)
	}

	l, name = listenPublic(t, afunix.ListenConfig{})
	plain := testenv.MustOpenPipe(t, name)
	plain.SetDeadline(time.Now().Add(patience))
	c, err := afunix.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	l.Close()
	if _, err := plain.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a plain client that was not accepted reads: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a client that was not accepted reads: %v", err)
	}
}

// A client that finds as many before it as may wait is told that the pipe is busy. That is what
// plain clients know.
func TestBacklogOfPlainClients(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{Backlog: 2})
	const most = 3 + 2 + 1 // in the queue, at instances, and on the way
	came := 0
	for err := error(nil); ; came++ {
		var f *os.File
		if f, err = testenv.OpenPipe(name); err != nil {
			if err != windows.ERROR_PIPE_BUSY {
				t.Fatal(err)
			}
			break
		}
		defer f.Close()
		if came > most {
			t.Fatalf("%d clients wait", came)
		}
	}
	if came < 2 {
		t.Errorf("%d clients were let in", came)
	}
	acceptPublic(t, l)
	if err := within(t, "OpenPipe", func() error { return second(openFreePipe(t, name)) }); err != nil {
		t.Errorf("a client that comes when there is room: %v", err)
	}
}

// The server's end is like the client's: no descriptors, buffers in one piece, no half-close.
func TestServersEndOfAPlainStream(t *testing.T) { eachPublicPair(t, expectPlainStream) }

func expectPlainStream(t *testing.T, server *afunix.Conn, client *os.File) {
	var rights *afunix.RightsError
	if _, err := server.WriteMsg([]byte("x"), os.Stdin); !errors.Is(err, afunix.ErrNotSendable) || !errors.As(err, &rights) {
		t.Errorf("WriteMsg with a file: %v, want ErrNotSendable", err)
	}
	if n, err := server.WriteMsg([]byte("one ")); n != 4 || err != nil {
		t.Errorf("WriteMsg: %d, %v", n, err)
	}
	if n, err := server.WriteBuffers(net.Buffers{[]byte("two "), []byte("three")}); n != 9 || err != nil {
		t.Errorf("WriteBuffers: %d, %v", n, err)
	}
	expectText(t, client, "one two three")
	mustWrite(t, client, "four")
	mustReadMsg(t, server, "four", 0)
	if err := server.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: %v", err)
	}
	if err := server.CloseRead(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseRead: %v", err)
	}
	mustWrite(t, client, "") // an empty write is not the end
	mustWrite(t, client, "five")
	expectText(t, server, "five")
}

// More than the pipe takes is written while the client reads, in either direction.
func TestPlainServerUnderWay(t *testing.T) {
	eachPublicPair(t, func(t *testing.T, server *afunix.Conn, client *os.File) {
		text := bytes.Repeat([]byte("0123456789"), 100_000)
		for _, way := range []struct {
			from io.Writer
			to   io.Reader
		}{{server, client}, {client, server}} {
			wrote := make(chan error, 1)
			go func() { _, err := way.from.Write(text); wrote <- err }()
			got := make([]byte, len(text))
			if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("read something else, or %v", err)
			}
			if err := within(t, "Write", func() error { return <-wrote }); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDeadlinesOfAPlainServer(t *testing.T) {
	eachPublicPair(t, func(t *testing.T, server *afunix.Conn, client *os.File) { expectDeadlines(t, server, client) })
}

func TestCloseEndsCallsOfAPlainServer(t *testing.T) {
	eachPublicPair(t, func(t *testing.T, server *afunix.Conn, _ *os.File) { expectCloseEndsCalls(t, server) })
}
