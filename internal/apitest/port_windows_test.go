package apitest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/testenv"
)

// A rendezvous is the server of a socket file that stands for a port.
type rendezvous struct {
	l      net.Listener
	path   string
	secret [16]byte
	expect [16]byte // what a client has to send
}

// newGnuPG returns one that does as libassuan.
func newGnuPG(t *testing.T) *rendezvous {
	r := newRendezvous(t)
	r.write(t, append(fmt.Appendf(nil, "%d\n", r.port()), r.secret[:]...))
	return r
}

// newCygwin returns one that does as Cygwin, whose files have the attribute SYSTEM; or, without
// that, as libassuan when it does as Cygwin.
func newCygwin(t *testing.T, attribute bool) *rendezvous {
	r := newRendezvous(t)
	text := fmt.Appendf(nil, "!<socket >%d s", r.port())
	for i := range 4 {
		separator := byte('-')
		if i == 0 {
			separator = ' '
		}
		text = fmt.Appendf(append(text, separator), "%08X", binary.LittleEndian.Uint32(r.secret[4*i:]))
	}
	r.write(t, append(text, 0))
	if attribute {
		name, _ := windows.UTF16PtrFromString(r.path)
		if err := windows.SetFileAttributes(name, windows.FILE_ATTRIBUTE_SYSTEM); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func newRendezvous(t *testing.T) *rendezvous {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &rendezvous{l: l, path: socketPath(t), secret: [16]byte([]byte("\nthe secret is\r\n"))}
	r.expect = r.secret
	return r
}

func (r *rendezvous) port() int { return r.l.Addr().(*net.TCPAddr).Port }

func (r *rendezvous) write(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(r.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve takes in clients, after the handshake with id bytes of identity; 0 is that of libassuan. It
// sends back what it reads.
func (r *rendezvous) serve(id int) {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if r.shake(c, id) == nil {
				io.Copy(c, c)
			}
		}()
	}
}

func (r *rendezvous) shake(c net.Conn, id int) error {
	var got [16]byte
	if _, err := io.ReadFull(c, got[:]); err != nil {
		return err
	}
	if got != r.expect {
		return errors.New("a stranger")
	}
	if id == 0 {
		return nil
	}
	c.Write(got[:])
	if _, err := io.ReadFull(c, got[:id]); err != nil {
		return err
	}
	_, err := c.Write(append(binary.LittleEndian.AppendUint32(nil, 4711), got[4:id]...))
	return err
}

func dialPlain(t *testing.T, address string) *afunix.Conn {
	t.Helper()
	c, err := (&afunix.Dialer{Timeout: patience}).DialContext(t.Context(), "unix", address)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

// Dial connects to the servers of socket files of GnuPG and Cygwin.
func TestDialOfASocketFileThatStandsForAPort(t *testing.T) {
	for name, test := range map[string]struct {
		server *rendezvous
		id     int
	}{
		"GnuPG":            {newGnuPG(t), 0},
		"Cygwin":           {newCygwin(t, true), 12},
		"GnuPG for Cygwin": {newCygwin(t, false), 8},
	} {
		t.Run(name, func(t *testing.T) {
			go test.server.serve(test.id)
			c := dialPlain(t, test.server.path)
			if c.Transport() != afunix.PlainTransport || c.RemoteAddr().String() != test.server.path || c.LocalAddr().String() != "@" {
				t.Errorf("%v, from %v to %v", c.Transport(), c.LocalAddr(), c.RemoteAddr())
			}
			if _, err := c.WriteMsg([]byte("x"), os.Stdin); !errors.Is(err, afunix.ErrNotSendable) {
				t.Errorf("WriteMsg with a file: %v, want ErrNotSendable", err)
			}
			word := bytes.Repeat([]byte("word "), 1000)
			go func() { c.Write(word); c.CloseWrite() }()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, word) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(word))
			}
			c.SetReadDeadline(time.Unix(1, 0))
			if _, err := c.Read(word); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
		})
	}
}

// A server that does not know the secret in the file is refused, or refuses; that is said.
func TestSecretOfASocketFileIsWrong(t *testing.T) {
	r := newCygwin(t, true)
	r.expect[3]++
	go r.serve(12)
	expectLookalike(t, dialError(afunix.DefaultTransport, "unix", r.path), "does not take the secret", syscall.ECONNREFUSED)

	r = newCygwin(t, true)
	go func() { // somebody else has the port now
		c, err := r.l.Accept()
		if err == nil {
			c.Write(make([]byte, 16))
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	expectLookalike(t, dialError(afunix.DefaultTransport, "unix", r.path), "does not know the secret", syscall.ECONNREFUSED)

	r = newGnuPG(t)
	r.expect[3]++
	go r.serve(0)
	_, err := dialPlain(t, r.path).Read(make([]byte, 1)) // there is no answer to the secret
	expectLookalike(t, err, "hung up without a word", syscall.ECONNRESET)
}

// A server of GnuPG may end a connection of which it has heard the end.
func TestServerThatHasNothingToSay(t *testing.T) {
	r := newGnuPG(t)
	go r.serve(0)
	c := dialPlain(t, r.path)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
		t.Errorf("read %q, %v", got, err)
	}
}

// A server of Cygwin answers when it accepts. Dial waits for that as long as it may.
func TestServerOfASocketFileThatDoesNotAccept(t *testing.T) {
	r := newCygwin(t, true)
	_, err := (&afunix.Dialer{Timeout: 50 * time.Millisecond}).DialContext(t.Context(), "unix", r.path)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dialled := make(chan error, 1)
	go func() { _, err := new(afunix.Dialer).DialContext(ctx, "unix", r.path); dialled <- err }()
	if _, err := r.l.Accept(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := within(t, "Dial", func() error { return <-dialled }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Authorize is asked before the secret is sent: a squatter at the port does not learn it.
func TestSquatterAtAPortLearnsNoSecret(t *testing.T) {
	r := newGnuPG(t)
	heard := make(chan error, 1)
	go func() {
		c, err := r.l.Accept()
		if err == nil {
			defer c.Close()
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		heard <- err
	}()
	refused := errors.New("a squatter")
	d := afunix.Dialer{Authorize: func(c afunix.Credentials) error {
		if c.PID != os.Getpid() {
			t.Errorf("Authorize has seen %+v", c)
		}
		return refused
	}}
	_, err := d.DialContext(t.Context(), "unix", r.path)
	if err == nil || !errors.Is(err, refused) && !testenv.OnWine() { // which names nobody who listens
		t.Errorf("%v, want what Authorize says", err)
	}
	if err := within(t, "the squatter", func() error { return <-heard }); err == nil {
		t.Error("the squatter has read something")
	}
}

func TestServerOfAPortIsKnown(t *testing.T) {
	testenv.NeedWindows(t, "the system names nobody for a socket of TCP that listens or was accepted")
	r := newGnuPG(t)
	if peer, err := dialPlain(t, r.path).PeerCredentials(); err != nil || peer.PID != os.Getpid() || !peer.SameUser() {
		t.Errorf("before accept: %+v, %v", peer, err)
	}
}
