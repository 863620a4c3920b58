package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// A piece is what one call sends, or receives: data and a number of descriptors.
type piece struct {
	data   string
	rights int
}

// SEMANTICS 21, 26, 27, 134: how a stream's pieces are cut when they are received into a buffer of some size.
func TestRightsDivideAStream(t *testing.T) {
	tests := []struct {
		name    string
		sent    []piece
		buffer  int
		receive []piece
	}{
		{"plain pieces merge", []piece{{"12", 0}, {"34", 0}}, 3, []piece{{"123", 0}, {"4", 0}}},
		{"plain data before is merged, a read stops after", []piece{{"1234", 0}, {"5", 1}, {"6789", 0}}, 20, []piece{{"12345", 1}, {"6789", 0}}},
		{"plain data after waits", []piece{{"12", 1}, {"34", 0}}, 20, []piece{{"12", 1}, {"34", 0}}},
		{"two with rights", []piece{{"12", 1}, {"34", 2}}, 20, []piece{{"12", 1}, {"34", 2}}},
		{"rights belong to their own bytes", []piece{{"1234", 0}, {"56", 1}}, 4, []piece{{"1234", 0}, {"56", 1}}},
		{"rights come with the first byte", []piece{{"1234", 2}}, 1, []piece{{"1", 2}, {"2", 0}, {"3", 0}, {"4", 0}}},
	}
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		f := tempFile(t, "")
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				a, b := pair(t, tr, network)
				for _, p := range test.sent {
					mustWriteMsg(t, a, p.data, []afunix.Sendable{f, f}[:p.rights]...)
				}
				for _, p := range test.receive {
					expectPiece(t, b, p, test.buffer)
				}
			})
		}
	})
}

// expectPiece receives p into a buffer that may be larger. Over pipes plain data may arrive in several parts, as on any stream; but
// nothing of what comes after p may come with it.
func expectPiece(t *testing.T, c *afunix.Conn, p piece, buffer int) {
	t.Helper()
	var got piece
	for parts := 0; len(got.data) < len(p.data); parts++ {
		if parts > 0 && c.Transport() == afunix.KernelTransport {
			t.Fatalf("received %v only; want %v at once", got, p)
		}
		m, err := c.ReadMsg(make([]byte, buffer-len(got.data)))
		if err != nil {
			t.Fatal(err)
		}
		got.data += string(m.Data)
		got.rights += m.Rights.Len()
		m.Rights.Close()
	}
	if got != p {
		t.Fatalf("received %v; want %v", got, p)
	}
}

// SEMANTICS 30.
func TestRightsAlsoDividePlainReads(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		f := tempFile(t, "")
		mustWriteMsg(t, a, "12", f)
		mustWriteMsg(t, a, "34", f)
		mustWriteMsg(t, a, "56")
		for _, want := range []string{"12", "34", "56"} {
			buf := make([]byte, 20)
			if n, err := b.Read(buf); string(buf[:n]) != want || err != nil {
				t.Errorf("read %q, %v; want %q", buf[:n], err, want)
			}
		}
	})
}

// SEMANTICS 33.
func TestPeekLeavesTheMessage(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := newWitness(t)
		mustWriteMsg(t, a, "12", w.w)
		mustWriteMsg(t, a, "34")
		for range 2 {
			m, err := b.PeekMsg(make([]byte, 20))
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("no peeking on this transport")
			}
			checkMsg(t, m, err, "12", 1)
			if k := m.Rights.Kind(0); k != afunix.KindPipe {
				t.Errorf("Kind = %v", k)
			}
			if err := m.Rights.Close(); err != nil {
				t.Error(err)
			}
		}
		m := mustReadMsg(t, b, "12", 1)
		mustReadMsg(t, b, "34", 0)
		m.Rights.Close()
		w.expectClosed(t)
	})
}

// SEMANTICS 17.
func TestEmptyBuffer(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		f := tempFile(t, "")
		mustWriteMsg(t, a, "1", f)
		m, err := b.ReadMsg(nil)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		}
		checkMsg(t, m, err, "", 1)
		if m.Truncated != (network != "unix") {
			t.Errorf("Truncated = %v", m.Truncated)
		}
		mustWriteMsg(t, a, "2")
		if network == "unix" {
			expectPiece(t, b, piece{"12", 0}, 20) // the byte stayed, its descriptor did not
		} else {
			mustReadMsg(t, b, "2", 0) // the record is gone
		}
	})
}

// SEMANTICS 125, 171, 182: a record without data is a record, also with descriptors.
func TestEmptyRecord(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		n, err := a.WriteMsg(nil, tempFile(t, ""))
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		}
		if n != 0 || err != nil {
			t.Fatalf("WriteMsg = %d, %v", n, err)
		}
		mustWriteMsg(t, a, "next")
		mustReadMsg(t, b, "", 1)
		mustReadMsg(t, b, "next", 0)
		if network == "unixgram" {
			mustWriteMsg(t, a, "")
			mustReadMsg(t, b, "", 0)
		}
	})
}

// SEMANTICS 171.
func TestLongRecordIsTruncated(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "1234", tempFile(t, ""))
		mustWriteMsg(t, a, "56")
		m, err := b.ReadMsg(make([]byte, 3))
		checkMsg(t, m, err, "123", 1)
		if !m.Truncated {
			t.Error("not Truncated")
		}
		if m := mustReadMsg(t, b, "56", 0); m.Truncated {
			t.Error("Truncated")
		}
	})
}

// SEMANTICS 24, 49.
func TestRecordThatIsTooLong(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		w := newWitness(t)
		if n, err := a.WriteMsg(make([]byte, 8<<20), w.w); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("WriteMsg = %d, %v; want EMSGSIZE", n, err)
		}
		w.expectClosed(t)
	})
}

// SEMANTICS 22, 65.
func TestCredentialsOfEachMessage(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "before")
		if m := mustReadMsg(t, b, "before", 0); m.Credentials != nil {
			t.Errorf("credentials that nobody asked for: %v", m.Credentials)
		}
		if err := b.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		} else if err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, a, "with", tempFile(t, ""))
		m := mustReadMsg(t, b, "with", 1)
		if m.Credentials == nil || m.Credentials.PID != os.Getpid() || !m.Credentials.SameUser() {
			t.Errorf("Credentials = %+v; want mine", m.Credentials)
		}
		a.Close()
		if network != "unixgram" {
			if m, err := b.ReadMsg(make([]byte, 10)); err != io.EOF {
				t.Errorf("the end, with SO_PASSCRED: %+v, %v", m, err)
			}
		}
	})
}

func TestPeerCredentialsAreTheSystems(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		ends := map[string]*afunix.Conn{}
		ends["pair"], _ = pair(t, tr, network)
		if network != "unixgram" {
			ends["client"], ends["server"] = connect(t, tr, network)
		}
		for name, c := range ends {
			peer, err := c.PeerCredentials()
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			}
			if err != nil || peer.PID != os.Getpid() || !peer.SameUser() {
				t.Errorf("%s: %+v, %v; want mine", name, peer, err)
			}
		}
	})
}

func TestEndOfStream(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := newWitness(t)
		mustWriteMsg(t, a, "last", w.w)
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		mustReadMsg(t, b, "last", 1)
		buf := make([]byte, 10)
		for range 2 {
			if m, err := b.ReadMsg(buf); err != io.EOF || len(m.Data) > 0 {
				t.Errorf("ReadMsg = %q, %v; want EOF", m.Data, err)
			}
			if n, err := b.Read(buf); err != io.EOF || n > 0 {
				t.Errorf("Read = %d, %v; want EOF", n, err)
			}
			if n, err := b.Read(nil); err != nil || n > 0 {
				t.Errorf("Read(nil) = %d, %v", n, err)
			}
		}
		if _, err := a.WriteMsg([]byte("x"), w.w); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("WriteMsg after CloseWrite: %v", err)
		}
		mustWriteMsg(t, b, "back") // SEMANTICS 151
		mustReadMsg(t, a, "back", 0)
		if err := a.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) { // SEMANTICS 152
			t.Errorf("Write after the peer's CloseRead: %v", err)
		}
	})
}

// SEMANTICS 14, 92, 119, 187: datagrams carry the sender's name.
func TestDatagramsBetweenNames(t *testing.T) {
	eachPassing(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		bind := func(address string) *afunix.Conn {
			c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, address)
			if err != nil {
				t.Fatal(err)
			}
			guard(t, c)
			return c
		}
		a, b := bind(socketPath(t)), bind(socketPath(t))
		to := b.LocalAddr().(*net.UnixAddr)
		if n, err := a.WriteMsgTo([]byte("one"), to, tempFile(t, "")); n != 3 || err != nil {
			t.Fatalf("WriteMsgTo = %d, %v", n, err)
		}
		m := mustReadMsg(t, b, "one", 1)
		if m.From == nil || m.From.Name != a.LocalAddr().String() || m.From.Net != network {
			t.Fatalf("From = %v; want %v", m.From, a.LocalAddr())
		}
		if n, err := b.WriteTo([]byte("two"), m.From); n != 3 || err != nil {
			t.Fatalf("WriteTo = %d, %v", n, err)
		}
		buf := make([]byte, 10)
		n, from, err := a.ReadFrom(buf)
		if string(buf[:n]) != "two" || err != nil || from.String() != to.Name {
			t.Fatalf("ReadFrom = %q, %v, %v", buf[:n], from, err)
		}

		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, to.Name)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		mustWriteMsg(t, c, "three")
		if m := mustReadMsg(t, b, "three", 0); m.From != nil {
			t.Errorf("From = %v; the sender has no name", m.From)
		}
		mustWriteMsg(t, c, "four")
		if _, from, err := b.ReadFrom(buf); from != nil || err != nil {
			t.Errorf("ReadFrom = %v, %v; the sender has no name", from, err)
		}
		wrong := &net.UnixAddr{Name: to.Name, Net: "unix"}
		for _, refused := range []struct {
			err, want error
		}{
			{second(c.WriteTo(buf, to)), net.ErrWriteToConnected},
			{second(c.WriteMsgTo(buf, to)), net.ErrWriteToConnected},
			{second(a.WriteTo(buf, wrong)), syscall.EAFNOSUPPORT},
			{second(a.WriteTo(buf, &net.IPAddr{})), syscall.EINVAL},
			{second(a.Write(buf)), syscall.ENOTCONN}, // SEMANTICS 115
			{second(a.WriteMsg(buf)), syscall.ENOTCONN},
			{second(a.WriteTo(buf, &net.UnixAddr{Name: to.Name + "none", Net: network})), syscall.ENOENT}, // SEMANTICS 116
		} {
			if !errors.Is(refused.err, refused.want) {
				t.Errorf("%v; want %v", refused.err, refused.want)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(to.Name); err != nil { // SEMANTICS 191
			t.Error("Close of a datagram socket removed the socket file:", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestUnnamedEndsAreCalledAsInPackageNet(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		if l, r := a.LocalAddr(), a.RemoteAddr(); l.String() != "@" || r.String() != "@" || l.Network() != network {
			t.Errorf("LocalAddr %v, RemoteAddr %v; want @ (SEMANTICS 187)", l, r)
		}
		if network == "unixgram" {
			return
		}
		client, server := connect(t, tr, network)
		if client.RemoteAddr().String() != server.LocalAddr().String() || client.LocalAddr().String() != "@" {
			t.Errorf("client %v → %v, server %v", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr())
		}
	})
}

// SEMANTICS 193, for every call that can wait.
func TestDeadlineAndCloseEndEveryWait(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		buf := make([]byte, 10)
		full := make([]byte, 100_000)
		waits := map[string]func(c *afunix.Conn) error{
			"Read":     func(c *afunix.Conn) error { return second(c.Read(buf)) },
			"ReadMsg":  func(c *afunix.Conn) error { return second(c.ReadMsg(buf)) },
			"ReadFrom": func(c *afunix.Conn) error { _, _, err := c.ReadFrom(buf); return err },
			"Write": func(c *afunix.Conn) (err error) {
				for err == nil {
					_, err = c.Write(full)
				}
				return err
			},
			"WriteMsg": func(c *afunix.Conn) (err error) {
				for err == nil {
					_, err = c.WriteMsg(full)
				}
				return err
			},
		}
		for name, wait := range waits {
			a, _ := pair(t, tr, network)
			a.SetDeadline(time.Now().Add(10 * time.Millisecond))
			err := wait(a)
			var timeout net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s after the deadline: %v", name, err)
			}
			a.SetDeadline(time.Time{})
			expectCloseWakes(t, a.Close, func() error { return wait(a) })
		}
	})
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		l := listen(t, tr, network, socketPath(t))
		l.SetDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept after the deadline: %v", err)
		}
		l.SetDeadline(time.Time{})
		expectCloseWakes(t, l.Close, func() error { return second(l.Accept()) })
	})
}

func TestAuthorizeRefusesThePeer(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		no := errors.New("not welcome")
		var asked atomic.Int32
		authorize := func(c afunix.Credentials) error {
			if c.PID != os.Getpid() || !c.SameUser() {
				t.Errorf("asked about %+v", c)
			}
			if asked.Add(1) == 1 {
				return no
			}
			return nil
		}
		path := socketPath(t)
		lc := afunix.ListenConfig{Transport: tr, Authorize: authorize}
		l, err := lc.Listen(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		d := afunix.Dialer{Transport: tr}
		refused, err := d.DialContext(t.Context(), network, path)
		if err == nil { // over pipes the dialler knows already
			guard(t, refused)
			mustWriteMsg(t, refused, "a")
		}
		welcome, err := d.DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, welcome)
		mustWriteMsg(t, welcome, "b")
		server, err := l.AcceptConn() // the first to come is not the first to be accepted
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		mustReadMsg(t, server, "b", 0)
		if refused != nil {
			if _, err := refused.Read(make([]byte, 1)); err == nil {
				t.Error("the refused connection is alive")
			}
		}
		d.Authorize = func(afunix.Credentials) error { return no }
		c, err := d.DialContext(t.Context(), network, path)
		var op *net.OpError
		if c != nil || !errors.Is(err, no) || !errors.As(err, &op) || op.Op != "dial" {
			t.Errorf("dial that Authorize refuses: %v, %v", c, err)
		}
	})
	// Who cannot be asked is not let in.
	each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		yes := func(afunix.Credentials) error { return nil }
		path := socketPath(t)
		lc := afunix.ListenConfig{Transport: tr, Authorize: yes}
		if _, err := lc.ListenPacket(t.Context(), network, path); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("ListenPacket with Authorize: %v", err)
		}
		lc.Authorize = nil
		p, err := lc.ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d := afunix.Dialer{Transport: tr, Authorize: yes}
		if _, err := d.DialContext(t.Context(), network, path); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Dial of a datagram socket with Authorize: %v", err)
		}
	})
}
