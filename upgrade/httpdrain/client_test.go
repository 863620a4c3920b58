package httpdrain_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A streams is a connection of HTTP/2 whose client never sends anything again. (That of package
// http would not do: it gives up requests that it has not sent at all, when a GOAWAY comes between
// its choice of a connection and the first frame.)
type streams struct {
	net.Conn
	fr    *http2.Framer
	mu    sync.Mutex // held while something is written
	next  uint32
	open  map[uint32]chan answer
	ended bool // by a GOAWAY, or altogether
}

type answer struct {
	text []byte
	err  error
}

var errEnded = errors.New("the connection takes no more requests")

func dialStreams(addr string, config *tls.Config) (*streams, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if config != nil {
		c = tls.Client(c, config)
	}
	s := adopt(c)
	if err := s.greet(); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func adopt(c net.Conn) *streams {
	c.SetDeadline(time.Now().Add(patience))
	return &streams{Conn: c, fr: http2.NewFramer(c, c), next: 1, open: make(map[uint32]chan answer)}
}

// greet says what a client says first.
func (s *streams) greet() error {
	if _, err := s.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	return s.fr.WriteSettings()
}

// begin opens a stream with a request that has a body.
func (s *streams) begin() (id uint32, done <-chan answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, nil, errEnded
	}
	id, s.next = s.next, s.next+2
	ch := make(chan answer, 1)
	s.open[id] = ch
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}} {
		e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return id, ch, s.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id,
		BlockFragment: block.Bytes(), EndHeaders: true})
}

// finish sends the body.
func (s *streams) finish(id uint32, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fr.WriteData(id, true, []byte(body))
}

// request asks for the length of what it sends.
func (s *streams) request(n int) error {
	id, done, err := s.begin()
	if err != nil {
		return err
	}
	if err := s.finish(id, body[:n]); err != nil {
		return err
	}
	a := <-done
	if a.err == nil && string(a.text) != strconv.Itoa(n) {
		return fmt.Errorf("sent %d bytes, and the answer is %q", n, a.text)
	}
	return a.err
}

// serve reads until the connection ends, or until it has ended and every request is answered.
func (s *streams) serve() {
	defer s.Close()
	text := make(map[uint32][]byte)
	for !s.isDone() {
		f, err := s.fr.ReadFrame()
		if err != nil {
			s.end(0, err)
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			s.write(func() { s.fr.WriteSettingsAck() }, !f.IsAck())
		case *http2.PingFrame:
			s.write(func() { s.fr.WritePing(true, f.Data) }, !f.IsAck())
		case *http2.GoAwayFrame:
			s.end(f.LastStreamID, fmt.Errorf("GOAWAY after stream %d", f.LastStreamID))
		case *http2.RSTStreamFrame:
			s.done(f.StreamID, answer{err: fmt.Errorf("RST_STREAM: %v", f.ErrCode)})
		case *http2.DataFrame:
			if text[f.StreamID] = append(text[f.StreamID], f.Data()...); f.StreamEnded() {
				s.done(f.StreamID, answer{text: text[f.StreamID]})
			}
		}
	}
}

func (s *streams) write(f func(), really bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if really {
		f()
	}
}

func (s *streams) isDone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended && len(s.open) == 0
}

func (s *streams) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// end lets no stream begin any more; what came after the last one is lost.
func (s *streams) end(last uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for id, ch := range s.open {
		if id > last {
			delete(s.open, id)
			ch <- answer{err: err}
		}
	}
}

func (s *streams) done(id uint32, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.open[id]; ok {
		delete(s.open, id)
		ch <- a
	}
}

// The next frames are for a test that reads them itself.

func (s *streams) expectGoAway(t *testing.T) uint32 {
	t.Helper()
	return expectFrame[*http2.GoAwayFrame](t, s).LastStreamID
}

// expectFrame returns the next frame that is neither SETTINGS nor WINDOW_UPDATE.
func expectFrame[F http2.Frame](t *testing.T, s *streams) F {
	t.Helper()
	for {
		f, err := s.fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case F:
			return f
		case *http2.SettingsFrame, *http2.WindowUpdateFrame:
		default:
			t.Fatalf("%v, want %T", f, *new(F))
		}
	}
}

// expectText reads a whole answer, and returns its length.
func (s *streams) expectText(t *testing.T) (n int) {
	t.Helper()
	expectFrame[*http2.HeadersFrame](t, s)
	for {
		f := expectFrame[*http2.DataFrame](t, s)
		if n += len(f.Data()); f.StreamEnded() {
			return n
		}
	}
}
