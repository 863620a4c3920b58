//go:build linux || windows

package apitest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"afunix"
)

// Ends of the pipe transport that move between processes (P8): the child obeys orders about the ends that it is given.

func init() { parts["obey"] = obey }

// eachMove is eachSide over the pipe transport.
func eachMove(t *testing.T, networks []string, f func(t *testing.T, a meeting)) {
	eachSide(t, networks, func(t *testing.T, a meeting) {
		if a.transport == afunix.KernelTransport {
			t.Skip("there an end is duplicated, as the kernel does")
		}
		f(t, a)
	})
}

// A servant has ends, and does with them what it is told.
type servant struct {
	k    *talk
	ends []io.Closer // *afunix.Conn or *afunix.Listener; nil if it has been given away
	send []afunix.Sendable
}

// orders are what a servant can be told, with what it is to answer. Their words are numbers of ends, unless it is said otherwise.
var orders = map[string]func(s *servant, words []string, r afunix.Rights) (string, error){
	"take":   (*servant).take,
	"read":   (*servant).read,
	"write":  (*servant).write,
	"finish": (*servant).finish,
	"shut":   (*servant).shut,
	"see":    (*servant).see,
	"accept": (*servant).accept,
	"give":   (*servant).give,
	"pass":   (*servant).pass,
	"get":    (*servant).get,
	"close":  (*servant).close,
	"die":    (*servant).die,
}

// obey follows orders until it is told "bye".
func obey(k *talk) error {
	s := &servant{k: k}
	defer func() {
		for _, e := range s.ends {
			if e != nil {
				e.Close()
			}
		}
	}()
	for {
		line, r, err := k.hear()
		if err != nil || line == "bye" {
			return err
		}
		words := strings.Fields(line)
		answer, err := orders[words[0]](s, words[1:], r)
		r.Close()
		if err != nil {
			answer = failure + line + ": " + err.Error()
		}
		files := s.send
		s.send = nil
		if err := k.say(answer, files...); err != nil {
			return err
		}
	}
}

// end returns the end whose number is words[i].
func (s *servant) end(words []string, i int) (io.Closer, error) {
	n, err := strconv.Atoi(words[i])
	if err != nil || n >= len(s.ends) || s.ends[n] == nil {
		return nil, fmt.Errorf("there is no end %q, %v", words[i], err)
	}
	return s.ends[n], nil
}

func (s *servant) conn(words []string, i int) (*afunix.Conn, error) {
	e, err := s.end(words, i)
	if err != nil {
		return nil, err
	}
	c, ok := e.(*afunix.Conn)
	if !ok {
		return nil, errors.New("it is a listener")
	}
	return c, nil
}

// take takes all ends that came with the order.
func (s *servant) take(_ []string, r afunix.Rights) (string, error) {
	for i := range r.Len() {
		if r.Kind(i) == afunix.KindUnixListener {
			l, err := r.Listener(i)
			if err != nil {
				return "", err
			}
			s.ends = append(s.ends, l)
			l.(*afunix.Listener).SetDeadline(time.Now().Add(patience))
			continue
		}
		c, err := r.Conn(i)
		if err != nil {
			return "", err
		}
		s.ends = append(s.ends, c)
		c.SetDeadline(time.Now().Add(patience))
	}
	return "taken", nil
}

// read reads one message, and says what it was, what is in the files that came with it, and whose it is.
func (s *servant) read(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	return describe(c.ReadMsg(make([]byte, 1000)))
}

// describe says what a message is, and closes its descriptors.
func describe(m afunix.Message, err error) (string, error) {
	if err == io.EOF {
		return "the end", nil
	}
	if err != nil {
		return "", err
	}
	defer m.Rights.Close()
	answer := string(m.Data)
	for i := range m.Rights.Len() {
		f, err := m.Rights.File(i)
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
		answer += " +" + string(text)
	}
	if m.From != nil && m.Credentials == nil { // a socket that wants credentials chooses a name
		answer += " from " + m.From.Name
	}
	if m.Credentials != nil {
		answer += fmt.Sprint(" of ", m.Credentials.PID)
	}
	return answer, nil
}

// write writes its second word, and beside it a file that has the third one in it.
func (s *servant) write(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	var files []afunix.Sendable
	if len(words) > 2 {
		r, w, err := os.Pipe()
		if err != nil {
			return "", err
		}
		defer r.Close()
		_, err = w.WriteString(words[2])
		if err := errors.Join(err, w.Close()); err != nil {
			return "", err
		}
		files = append(files, r)
	}
	_, err = c.WriteMsg([]byte(words[1]), files...)
	return "written", err
}

// finish reads up to the end, and says how many bytes that were.
func (s *servant) finish(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(io.Discard, onlyReader{c})
	return strconv.FormatInt(n, 10), err
}

// onlyReader hides the other methods.
type onlyReader struct{ io.Reader }

func (s *servant) shut(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	return "shut", c.CloseWrite()
}

// see says what is to be seen of an end.
func (s *servant) see(words []string, _ afunix.Rights) (string, error) {
	e, err := s.end(words, 0)
	if err != nil {
		return "", err
	}
	c, ok := e.(*afunix.Conn)
	if !ok {
		return e.(*afunix.Listener).Addr().String(), nil
	}
	return seen(c), nil
}

// seen is what is to be seen of c.
func seen(c *afunix.Conn) string {
	remote := "nobody"
	if a := c.RemoteAddr(); a != nil {
		remote = a.String()
	}
	peer, err := c.PeerCredentials()
	who := strconv.Itoa(peer.PID)
	if err != nil {
		who = "unknown"
	}
	return fmt.Sprint(c.LocalAddr(), " ", remote, " ", who)
}

// accept accepts a client, which becomes an end.
func (s *servant) accept(words []string, _ afunix.Rights) (string, error) {
	e, err := s.end(words, 0)
	if err != nil {
		return "", err
	}
	c, err := e.(*afunix.Listener).AcceptConn()
	if err != nil {
		return "", err
	}
	s.ends = append(s.ends, c)
	return "accepted", c.SetDeadline(time.Now().Add(patience))
}

// gone takes ends away from the servant.
func (s *servant) gone(words []string) (files []afunix.Sendable, err error) {
	for i := range words {
		e, err := s.end(words, i)
		if err != nil {
			return nil, err
		}
		files = append(files, e.(afunix.Sendable))
		n, _ := strconv.Atoi(words[i])
		s.ends[n] = nil
	}
	return files, nil
}

// give sends ends beside the answer.
func (s *servant) give(words []string, _ afunix.Rights) (answer string, err error) {
	s.send, err = s.gone(words)
	return "here", err
}

// pass sends ends, the second word and on, over another one.
func (s *servant) pass(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	files, err := s.gone(words[1:])
	if err != nil {
		return "", err
	}
	_, err = c.WriteMsg([]byte("passed"), files...)
	return "passed", err
}

// get takes what comes over an end.
func (s *servant) get(words []string, _ afunix.Rights) (string, error) {
	c, err := s.conn(words, 0)
	if err != nil {
		return "", err
	}
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil {
		return "", err
	}
	defer m.Rights.Close()
	return s.take(nil, m.Rights)
}

func (s *servant) close(words []string, _ afunix.Rights) (string, error) {
	files, err := s.gone(words)
	for _, f := range files {
		err = errors.Join(err, f.(io.Closer).Close())
	}
	return "closed", err
}

// die says that it has given ends away, and waits for its end.
func (s *servant) die(words []string, _ afunix.Rights) (string, error) {
	files, err := s.gone(words)
	if err == nil {
		err = s.k.say("legacy", files...)
	}
	return "", errors.Join(err, tell("sent"), await())
}

// receive hears a line with ends, and takes them as connections.
func (p *peer) receive(t *testing.T, line string, n int) (conns []*afunix.Conn) {
	t.Helper()
	got, r, err := p.hear()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got != line || r.Len() != n {
		t.Fatalf("heard %q with %d ends; want %q with %d", got, r.Len(), line, n)
	}
	for i := range n {
		c, err := r.Conn(i)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		conns = append(conns, c.(*afunix.Conn))
	}
	return conns
}

// moves moves ends to the other process.
func (p *peer) moves(t *testing.T, ends ...afunix.Sendable) {
	t.Helper()
	p.says(t, "take", ends...)
	p.expect(t, "taken")
}

// order gives an order and expects an answer.
func (p *peer) order(t *testing.T, want, format string, args ...any) {
	t.Helper()
	p.asks(t, fmt.Sprintf(format, args...), want)
}

// expectMsg reads a message, and expects its description.
func expectMsg(t *testing.T, c *afunix.Conn, want string) {
	t.Helper()
	if got, err := describe(c.ReadMsg(make([]byte, 1000))); got != want || err != nil {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

// expectAlive lets two ends exchange a file each.
func expectAlive(t *testing.T, a, b *afunix.Conn) {
	t.Helper()
	mustWriteMsg(t, a, "there", tempFile(t, "file"))
	expectMsg(t, b, "there +file")
	mustWriteMsg(t, b, "back", tempFile(t, "another"))
	expectMsg(t, a, "back +another")
}

// goOnApart lets the peer's end number i and far exchange a file each.
func (p *peer) goOnApart(t *testing.T, i int, far *afunix.Conn) {
	t.Helper()
	mustWriteMsg(t, far, "there", tempFile(t, "file"))
	p.order(t, "there +file", "read %d", i)
	p.order(t, "written", "write %d back another", i)
	expectMsg(t, far, "back +another")
}

// expectGone calls everything that c has, which is to behave as closed.
func expectGone(t *testing.T, c *afunix.Conn) {
	t.Helper()
	buf := make([]byte, 10)
	for name, err := range map[string]error{
		"Read":               second(c.Read(buf)),
		"ReadFrom":           func() error { _, _, err := c.ReadFrom(buf); return err }(),
		"ReadMsg":            second(c.ReadMsg(buf)),
		"PeekMsg":            second(c.PeekMsg(buf)),
		"Write":              second(c.Write(buf)),
		"WriteMsg":           second(c.WriteMsg(buf, os.Stdin)),
		"CloseRead":          c.CloseRead(),
		"CloseWrite":         c.CloseWrite(),
		"SetDeadline":        c.SetDeadline(time.Time{}),
		"SetReadDeadline":    c.SetReadDeadline(time.Time{}),
		"SetWriteDeadline":   c.SetWriteDeadline(time.Time{}),
		"SetReadBuffer":      c.SetReadBuffer(10000),
		"SetWriteBuffer":     c.SetWriteBuffer(10000),
		"SetPassCredentials": c.SetPassCredentials(true),
		"Close":              c.Close(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s of an end that has moved: %v; want net.ErrClosed", name, err)
		}
	}
}

// What is in the queue of an end goes along, and both go on as before, with descriptors in both directions, up to the end.
func TestExchangeAnEndMovesWithItsQueue(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		for i, ends := range []func() (near, far *afunix.Conn){
			func() (near, far *afunix.Conn) { return pair(t, a.transport, a.network) },
			func() (near, far *afunix.Conn) { far, near = pair(t, a.transport, a.network); return near, far },
		} {
			near, far := ends()
			mustWriteMsg(t, far, "early", tempFile(t, "one"), tempFile(t, "two"))
			mustWriteMsg(t, far, "late", tempFile(t, "three"))
			mustWriteMsg(t, near, "last")
			p.moves(t, near)
			expectGone(t, near)
			expectMsg(t, far, "last")
			p.order(t, "early +one +two", "read %d", i)
			p.order(t, "late +three", "read %d", i)
			p.goOnApart(t, i, far)
			p.order(t, "closed", "close %d", i)
			expectPeerGone(t, far)
		}
		p.finish(t)
	})
}

// expectPeerGone expects what an end shows when the other one is closed.
func expectPeerGone(t *testing.T, c *afunix.Conn) {
	t.Helper()
	want := error(io.EOF)
	if c.LocalAddr().Network() == "unixgram" { // it has no end
		want = os.ErrDeadlineExceeded
		c.SetReadDeadline(time.Now().Add(aMoment))
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Errorf("Read = %d, %v; want %v", n, err, want)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("Write succeeds, and nobody is there")
	}
}

// A dialled connection keeps its names, and who is there is what the system said when it was made.
func TestExchangeAnEndMovesWithItsNames(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		client, server := connect(t, a.transport, a.network)
		views := []string{seen(client), seen(server)}
		p.moves(t, client)
		p.moves(t, server)
		p.order(t, views[0], "see 0")
		p.order(t, views[1], "see 1")
		p.order(t, "written", "write 0 hello file")
		p.order(t, "hello +file", "read 1")
		p.finish(t)
	})
}

// Half-closes go along, of either end and in either direction.
func TestExchangeHalfClosesMove(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		mustWriteMsg(t, near, "last", tempFile(t, "words"))
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		expectMsg(t, far, "last +words")
		expectMsg(t, far, "the end")
		mustWriteMsg(t, far, "answer", tempFile(t, "file"))
		p.order(t, "answer +file", "read 0")
		if err := p.say("write 0 more"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.hear(); err == nil || !strings.Contains(err.Error(), "broken pipe") && !strings.Contains(err.Error(), "EPIPE") {
			t.Errorf("a write where writing has been shut down: %v", err)
		}

		near, far = pair(t, a.transport, a.network)
		mustWriteMsg(t, far, "last", tempFile(t, "words"))
		if err := far.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		p.order(t, "last +words", "read 1")
		p.order(t, "the end", "read 1")
		p.order(t, "written", "write 1 answer file")
		expectMsg(t, far, "answer +file")
		p.order(t, "shut", "shut 1")
		expectMsg(t, far, "the end")
		p.finish(t)
	})
}

// Messages carry the credentials of whoever has written them, before and after a move of either end; the wish for them goes along.
func TestExchangeCredentialsAreTheWriters(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		me, it := os.Getpid(), p.cmd.Process.Pid
		near, far := pair(t, a.transport, a.network)
		for _, c := range []*afunix.Conn{near, far} {
			if err := c.SetPassCredentials(true); err != nil {
				t.Fatal(err)
			}
		}
		mustWriteMsg(t, near, "before")
		mustWriteMsg(t, far, "to the old owner")
		p.moves(t, near)
		p.order(t, "written", "write 0 after")
		before, after, last, home := fmt.Sprint("before of ", me), fmt.Sprint("after of ", it), fmt.Sprint("last of ", it), fmt.Sprint("home of ", me)
		expectMsg(t, far, before)
		expectMsg(t, far, after)
		p.order(t, fmt.Sprint("to the old owner of ", me), "read 0")
		mustWriteMsg(t, far, "to the new owner")
		p.order(t, fmt.Sprint("to the new owner of ", me), "read 0")
		p.order(t, "written", "write 0 last")
		p.says(t, "give 0")
		near = p.receive(t, "here", 1)[0]
		mustWriteMsg(t, near, "home")
		expectMsg(t, far, last)
		expectMsg(t, far, home)
		if peer, err := far.PeerCredentials(); peer.PID != me || err != nil {
			t.Errorf("PeerCredentials = %+v, %v; want process %d, which made the pair", peer, err, me)
		}
		p.finish(t)
	})
}

// A Read and a Write that wait when the end moves are ended like by Close. What the Write has written until then has been written.
func TestExchangeBlockedCallsEndWhenTheirEndMoves(t *testing.T) {
	eachMove(t, streams, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		type outcome struct {
			n   int
			err error
		}
		reads, writes := make(chan outcome, 1), make(chan outcome, 1)
		go func() {
			n, err := near.Read(make([]byte, 10))
			reads <- outcome{n, err}
		}()
		go func() {
			n, err := near.Write(make([]byte, 8<<20))
			writes <- outcome{n, err}
		}()
		// The first byte shows that the Write has begun; it cannot end, and takes what room there is.
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		if o := <-reads; o.n != 0 || !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("Read = %d, %v; want net.ErrClosed", o.n, o.err)
		}
		o := <-writes
		if o.n == 0 || o.n == 8<<20 || !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("Write = %d, %v; want a part, and net.ErrClosed", o.n, o.err)
		}
		p.order(t, "closed", "close 0")
		if n, err := io.Copy(io.Discard, onlyReader{far}); n != int64(o.n)-1 || err != nil {
			t.Errorf("the peer has read %d bytes, %v; written were %d", n+1, err, o.n)
		}
		p.finish(t)
	})
}
