package httpdrain_test

import (
	"context"
	"crypto/tls"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"afunix/upgrade/httpdrain"
)

// overHTTP2 runs the test without and with TLS.
func overHTTP2(t *testing.T, test func(t *testing.T, protocols *http.Protocols, config *tls.Config)) {
	t.Run("unencrypted", func(t *testing.T) {
		t.Parallel()
		test(t, unencrypted(), nil)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		test(t, encrypted(), certificate(t))
	})
}

func (r *rig) streams(t *testing.T, config *tls.Config) *streams {
	t.Helper()
	s, err := dialStreams(r.addr, clientConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ask sends a whole request.
func (s *streams) ask(t *testing.T) uint32 {
	t.Helper()
	id, _, err := s.begin()
	if err == nil {
		err = s.finish(id, "x")
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *streams) acknowledge(t *testing.T, p *http2.PingFrame) {
	t.Helper()
	if err := s.fr.WritePing(true, p.Data); err != nil {
		t.Fatal(err)
	}
}

// expectAnnouncement expects to hear that the connection ends, and returns the question whether
// that has been heard.
func (s *streams) expectAnnouncement(t *testing.T) *http2.PingFrame {
	t.Helper()
	if last := s.expectGoAway(t); last != math.MaxInt32 {
		t.Fatalf("GOAWAY after stream %d", last)
	}
	return expectFrame[*http2.PingFrame](t, s)
}

// The client hears at once that the connection ends. What it sends before it has heard so is
// answered, and then the server closes the connection.
func TestHTTP2EndsInTwoSteps(t *testing.T) {
	overHTTP2(t, func(t *testing.T, protocols *http.Protocols, config *tls.Config) {
		r := newSecureRig(t, protocols, config)
		c := r.streams(t, config)
		c.ask(t)
		c.expectText(t)
		done := r.shutdown(t, t.Context())
		heard := c.expectAnnouncement(t)
		for range 2 {
			c.ask(t)
			c.expectText(t)
		}
		c.acknowledge(t, heard)
		c.ask(t) // which another goroutine of the client was about to
		c.expectText(t)
		finished := expectFrame[*http2.PingFrame](t, c)
		last := c.ask(t)
		c.expectText(t)
		c.acknowledge(t, finished)
		if got := c.expectGoAway(t); got != last {
			t.Errorf("GOAWAY after stream %d, not %d", got, last)
		}
		expectDone(t, done, nil)
		if f, err := c.fr.ReadFrame(); err != io.EOF {
			t.Errorf("%v, %v; want EOF", f, err)
		}
	})
}

// The client of package http leaves an idle connection open when it hears a GOAWAY.
func TestHTTP2ClientThatStays(t *testing.T) {
	overHTTP2(t, func(t *testing.T, protocols *http.Protocols, config *tls.Config) {
		r := newSecureRig(t, protocols, config)
		tr := &http.Transport{Protocols: protocols, TLSClientConfig: clientConfig(config)}
		defer tr.CloseIdleConnections()
		scheme := map[bool]string{false: "http", true: "https"}[config != nil]
		client := http.Client{Transport: tr, Timeout: patience}
		resp, err := client.Get(scheme + "://" + r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); string(text) != "hello" || resp.ProtoMajor != 2 || err != nil || (resp.TLS != nil) != (config != nil) {
			t.Errorf("the answer is %q over %s, %v", text, resp.Proto, err)
		}
		expectDone(t, r.shutdown(t, t.Context()), nil)
	})
}

// A request under way is finished, and the announcement does not fall into a frame of its answer.
func TestHTTP2AnnouncementBetweenFrames(t *testing.T) {
	overHTTP2(t, func(t *testing.T, protocols *http.Protocols, config *tls.Config) {
		const size = 48 << 10 // within the client's window
		flushed, goOn := make(chan struct{}), make(chan struct{})
		r := newSecureRig(t, protocols, config)
		r.answer = func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("a", size/2))
			w.(http.Flusher).Flush()
			close(flushed)
			<-goOn
			io.WriteString(w, strings.Repeat("b", size/2))
		}
		c := r.streams(t, config)
		c.ask(t)
		<-flushed
		done := r.shutdown(t, t.Context())
		close(goOn)
		expectFrame[*http2.HeadersFrame](t, c)
		n := 0
		for ended, told := false, false; !ended || !told; {
			f, err := c.fr.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch f := f.(type) {
			case *http2.DataFrame:
				n += len(f.Data())
				ended = ended || f.StreamEnded()
			case *http2.GoAwayFrame:
				told = told || f.LastStreamID == math.MaxInt32
			}
		}
		if n != size {
			t.Errorf("%d bytes, not %d", n, size)
		}
		c.Close()
		expectDone(t, done, nil)
	})
}

// A connection turns out to be one of HTTP/2 after Shutdown.
func TestHTTP2ThatBeginsLate(t *testing.T) {
	r := newRig(t, unencrypted())
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	s := adopt(c)
	defer s.Close()
	r.expect(t, http.StateNew)
	done := r.shutdown(t, t.Context())
	if err := s.greet(); err != nil {
		t.Fatal(err)
	}
	first, err := s.fr.ReadFrame()
	if _, ok := first.(*http2.SettingsFrame); !ok {
		t.Fatalf("the first frame is %v, %v", first, err)
	}
	s.expectAnnouncement(t)
	s.ask(t)
	s.expectText(t)
	s.Close()
	expectDone(t, done, nil)
}

// dribble writes one byte at a time.
type dribble struct{ net.Conn }

func (d dribble) Write(b []byte) (n int, err error) {
	for n = range b {
		if _, err := d.Conn.Write(b[n : n+1]); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

func TestHTTP2InSmallPieces(t *testing.T) {
	overHTTP2(t, func(t *testing.T, protocols *http.Protocols, config *tls.Config) {
		r := newSecureRig(t, protocols, config)
		c := r.streams(t, config)
		c.fr = http2.NewFramer(dribble{c.Conn}, c.Conn)
		last := c.ask(t)
		c.expectText(t)
		done := r.shutdown(t, t.Context())
		c.acknowledge(t, c.expectAnnouncement(t))
		c.acknowledge(t, expectFrame[*http2.PingFrame](t, c))
		if got := c.expectGoAway(t); got != last {
			t.Errorf("GOAWAY after stream %d, not %d", got, last)
		}
		expectDone(t, done, nil)
	})
}

// A client that answers no PING is waited for as long as Shutdown's context says.
func TestHTTP2ClientThatHearsNothing(t *testing.T) {
	overHTTP2(t, func(t *testing.T, protocols *http.Protocols, config *tls.Config) {
		r := newSecureRig(t, protocols, config)
		c := r.streams(t, config)
		c.ask(t)
		c.expectText(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := r.shutdown(t, ctx)
		c.expectAnnouncement(t)
		expectWaiting(t, done)
		cancel()
		expectDone(t, done, context.Canceled)
	})
}

// On a server that also speaks HTTP/2 without TLS, HTTP/1.1 is as anywhere.
func TestHTTP1BesideHTTP2(t *testing.T) {
	both := unencrypted()
	both.SetHTTP1(true)
	r := newRig(t, both)
	c := connect(t, r.addr)
	c.ask(t, "/")
	c.expectAnswer(t, false)
	r.expect(t, http.StateIdle)
	done := r.shutdown(t, t.Context())
	expectWaiting(t, done)
	c.ask(t, "/")
	c.expectAnswer(t, true)
	expectDone(t, done, nil)
}

// The functions of the server's owner see the connections that the listener has accepted.
func TestCallbacksSeeTheConnectionsAccepted(t *testing.T) {
	p := unencrypted()
	p.SetHTTP1(true)
	seen := make(chan net.Conn, 10)
	srv := &http.Server{
		Protocols:   p,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { seen <- c; return ctx },
		ConnState:   func(c net.Conn, _ http.ConnState) { seen <- c },
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httpdrain.New(srv)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c := connect(t, l.Addr().String())
	c.ask(t, "/")
	c.expectAnswer(t, false)
	s.Shutdown(expired())
	<-served
	for range len(seen) {
		if c := <-seen; !isTCP(c) {
			t.Errorf("a %T", c)
		}
	}
}

func isTCP(c net.Conn) bool {
	_, ok := c.(*net.TCPConn)
	return ok
}
