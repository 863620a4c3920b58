package apitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/testenv"
)

// eachPlain runs f for a pipe of bytes, and for one of messages.
func eachPlain(t *testing.T, f func(t *testing.T, p *testenv.ForeignPipe)) {
	t.Run("bytes", func(t *testing.T) { f(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE)) })
	t.Run("messages", func(t *testing.T) { f(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_MESSAGE)) })
}

// plainPair returns both ends of a connection to somebody else's pipe.
func plainPair(t *testing.T, p *testenv.ForeignPipe) (*afunix.Conn, *os.File) {
	t.Helper()
	server := p.Instance(1, 1<<16)
	c, err := afunix.Dial("unix", p.Name)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c, server
}

// Dial connects to the pipe of any program, as a stream.
func TestDialOfAPipe(t *testing.T) {
	eachPlain(t, func(t *testing.T, p *testenv.ForeignPipe) {
		c, server := plainPair(t, p)
		if c.Transport() != afunix.PlainTransport || c.RemoteAddr().String() != p.Name {
			t.Errorf("%v to %v", c.Transport(), c.RemoteAddr())
		}
		for _, word := range []string{"hello", strings.Repeat("long ", 10_000)} {
			if _, err := c.Write([]byte(word)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(word))
			if _, err := io.ReadFull(server, got); err != nil || string(got) != word {
				t.Fatalf("the server has read %.20q, %v", got, err)
			}
			if _, err := server.Write(got); err != nil {
				t.Fatal(err)
			}
			clear(got)
			half := len(got) / 2 // a message is read in pieces, too
			for _, piece := range [][]byte{got[:half], got[half:]} {
				if _, err := io.ReadFull(c, piece); err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != word {
				t.Fatalf("read %.20q", got)
			}
		}
		server.Write([]byte("bye"))
		server.Close()
		if rest, err := io.ReadAll(c); err != nil || string(rest) != "bye" {
			t.Errorf("the end: %q, %v", rest, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after the end: %v, want EPIPE", err)
		}
	})
}

// An empty message is the end of the stream, also where it comes close upon data, and it is written
// by CloseWrite, and by nothing else.
func TestEmptyMessageIsTheEndOfAPlainStream(t *testing.T) {
	c, server := plainPair(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_MESSAGE))
	for _, message := range []string{"first ", "second", "", "more"} {
		if _, err := server.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "first second" {
		t.Errorf("read %q, %v", got, err)
	}
	if n, err := c.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("a write of nothing: %d, %v", n, err)
	}
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after CloseWrite: %v, want EPIPE", err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Errorf("CloseWrite again: %v", err)
	}
	if got, err := io.ReadAll(server); err != nil || string(got) != "question" {
		t.Errorf("the server has read %q, %v", got, err)
	}
}

// In a pipe of bytes there is no half-close, and a server's write of nothing is not the end.
func TestPipeOfBytesHasNoHalfClose(t *testing.T) {
	c, server := plainPair(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE))
	if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: %v", err)
	}
	if err := c.CloseRead(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseRead: %v", err)
	}
	read := make(chan string, 1)
	go func() {
		b := make([]byte, 10)
		n, err := c.Read(b)
		if err != nil {
			read <- err.Error()
			return
		}
		read <- string(b[:n])
	}()
	for _, message := range []string{"", "", "x"} {
		if _, err := server.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-read; got != "x" {
		t.Errorf("read %q", got)
	}
}

func TestDeadlinesOfAPlainStream(t *testing.T) {
	eachPlain(t, func(t *testing.T, p *testenv.ForeignPipe) {
		c, server := plainPair(t, p)
		expectDeadlines(t, c, server)
	})
}

// expectDeadlines expects that the deadlines of c hold, in both directions.
func expectDeadlines(t *testing.T, c *afunix.Conn, other *os.File) {
	b := make([]byte, 10)
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read again: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	waits := make(chan error, 1)
	go func() { _, err := c.Read(b); waits <- err }()
	for range 10 { // also while the call is just beginning
		c.SetReadDeadline(time.Now().Add(time.Hour))
	}
	c.SetReadDeadline(time.Unix(1, 0))
	if err := within(t, "Read", func() error { return <-waits }); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read that waits: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(time.Hour))
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(b); n != 1 || err != nil {
		t.Errorf("Read later: %d, %v", n, err)
	}
	c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	for err := error(nil); ; {
		if _, err = c.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write into a full pipe: %v", err)
			}
			break
		}
	}
}

func TestCloseEndsCallsOnAPlainStream(t *testing.T) {
	eachPlain(t, func(t *testing.T, p *testenv.ForeignPipe) {
		c, _ := plainPair(t, p)
		expectCloseEndsCalls(t, c)
	})
}

// expectCloseEndsCalls expects that calls which wait on c end when that is closed.
func expectCloseEndsCalls(t *testing.T, c *afunix.Conn) {
	calls := make(chan error, 2)
	go func() { _, err := c.Read(make([]byte, 10)); calls <- err }()
	go func() {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				calls <- err
				return
			}
		}
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(calls) {
		if err := within(t, "a call", func() error { return <-calls }); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	for name, err := range map[string]error{"Close": c.Close(), "CloseWrite": c.CloseWrite(), "SetDeadline": c.SetDeadline(time.Time{})} {
		if !errors.Is(err, net.ErrClosed) && !(name == "CloseWrite" && errors.Is(err, errors.ErrUnsupported)) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// A plain stream carries no descriptors, and says nothing about itself that it does not know.
func TestPlainStreamPassesNoDescriptors(t *testing.T) {
	c, server := plainPair(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE))
	var rights *afunix.RightsError
	if _, err := c.WriteMsg([]byte("x"), os.Stdin); !errors.Is(err, afunix.ErrNotSendable) || !errors.As(err, &rights) {
		t.Errorf("WriteMsg with a file: %v, want ErrNotSendable", err)
	}
	if n, err := c.WriteMsg([]byte("word")); n != 4 || err != nil {
		t.Errorf("WriteMsg: %d, %v", n, err)
	}
	if _, err := server.Write([]byte("word")); err != nil {
		t.Fatal(err)
	}
	m, err := c.ReadMsg(make([]byte, 10))
	if err != nil || string(m.Data) != "word" || m.Rights.Len() != 0 {
		t.Errorf("ReadMsg: %+v, %v", m, err)
	}
	if _, _, ok := c.Packets(); ok {
		t.Error("a plain stream has packets")
	}
}

// PeerCredentials, and Authorize, are about the process that serves the pipe.
func TestServerOfAPipeIsKnown(t *testing.T) {
	p := testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE)
	p.Instance(1, 0)
	refused := errors.New("a squatter")
	var seen afunix.Credentials
	d := afunix.Dialer{Authorize: func(c afunix.Credentials) error { seen = c; return refused }}
	if _, err := d.DialContext(t.Context(), "unix", p.Name); !errors.Is(err, refused) {
		t.Errorf("%v, want what Authorize says", err)
	}
	if seen.PID != os.Getpid() || !seen.SameUser() {
		t.Errorf("Authorize has seen %+v", seen)
	}
	c, _ := plainPair(t, testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE))
	if peer, err := c.PeerCredentials(); err != nil || peer != seen {
		t.Errorf("PeerCredentials: %+v, %v", peer, err)
	}
}

// A busy pipe is waited for, as long as the deadline lasts.
func TestBusyPipeIsWaitedFor(t *testing.T) {
	eachPlain(t, func(t *testing.T, p *testenv.ForeignPipe) {
		plainPair(t, p)
		d := afunix.Dialer{Timeout: 50 * time.Millisecond}
		if _, err := d.DialContext(t.Context(), "unix", p.Name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial of a busy pipe: %v", err)
		}
		waits := make(chan error, 1)
		q := testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE)
		q.Instance(2, 0)
		first, err := afunix.Dial("unix", q.Name)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, first)
		go func() {
			c, err := (&afunix.Dialer{Timeout: patience}).DialContext(t.Context(), "unix", q.Name)
			if err == nil {
				c.Close()
			}
			waits <- err
		}()
		q.Instance(2, 0)
		if err := within(t, "Dial", func() error { return <-waits }); err != nil {
			t.Error(err)
		}
	})
}

func TestDialOfAPipeThatIsNotThere(t *testing.T) {
	p := testenv.NewForeignPipe(t, windows.PIPE_TYPE_BYTE)
	if err := dialError(afunix.DefaultTransport, "unix", p.Name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no pipe: %v, want ENOENT", err)
	}
	err := dialError(afunix.DefaultTransport, "unix", `\\.\pipe\`)
	expectLookalike(t, err, "the name of a pipe is missing", syscall.ECONNREFUSED)
}
