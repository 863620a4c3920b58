//go:build linux || windows

package apitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// The other process of the tests of ends that move: a child that obeys orders about the ends that
// it is given.

func init() { parts["obey"] = obey }

// A servant has ends, and does with them what it is told.
type servant struct {
	k    *talk
	ends []io.Closer // *afunix.Conn or *afunix.Listener; nil if it has been given away
	send []afunix.Sendable
}

// orders are what a servant can be told, with what it is to answer. Their words are numbers of
// ends, unless it is said otherwise.
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

// read reads one message, and says what it was, what is in the files that came with it, and whose
// it is.
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

// goOnApart lets the peer's end number i and far exchange a file each.
func (p *peer) goOnApart(t *testing.T, i int, far *afunix.Conn) {
	t.Helper()
	mustWriteMsg(t, far, "there", testenv.TempFile(t, "file"))
	p.order(t, "there +file", "read %d", i)
	p.order(t, "written", "write %d back another", i)
	expectMsg(t, far, "back +another")
}
