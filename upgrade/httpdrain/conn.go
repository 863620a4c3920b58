package httpdrain

import (
	"crypto/tls"
	"io"
	"net"
	"time"

	"afunix/internal/locks"
)

// A conn is a connection that may turn out to be one of HTTP/2. When package http's server ends
// such a connection, requests are lost: its GOAWAY names the last request that the server has read,
// and every client that has sent another request by then has to send it again. RFC 9113, section
// 6.8, has two steps for that. A conn adds the first step, and makes the server take the second
// when it is time:
//
//	client                           conn                          server
//	  │  ◀─  GOAWAY any, PING heard   │                               │   Shutdown
//	  │  requests that were under way │  ────────────────────────▶    │   all are answered
//	  │  PING heard, acknowledged ─▶  │  waits for a moment           │
//	  │  ◀─  PING finished            │                               │
//	  │  PING finished, ack.      ─▶  │  passes on as a GOAWAY  ─▶    │   upon which it sends its own, and closes
//
// A client may close the connection before that, when it has all its answers.
type conn struct {
	net.Conn
	s *Server

	// Of the reader.
	seen int    // bytes of the preface
	left int    // of the payload of a frame
	held []byte // what comes before everything else
	head [shortLen]byte
	have int // of the head of a frame

	mu    locks.Mutex[locks.HTTPConn] // held while something is written
	known bool                        // it is HTTP/2
	out   course
	due   []byte      // to be written between two frames
	pause *time.Timer // between the two PINGs
	over  bool        // it is closed
}

// lastStreams is how long a client that has heard a GOAWAY may take to send what it was about to.
const lastStreams = time.Second

// A secureConn is a conn over TLS.
type secureConn struct {
	*conn
	stater
}

// A stater is a *tls.Conn, or what package http takes for one.
type stater interface{ ConnectionState() tls.ConnectionState }

func asHTTP2(c net.Conn) (*conn, bool) {
	switch c := c.(type) {
	case *conn:
		return c, true
	case secureConn:
		return c.conn, true
	}
	return nil, false
}

// accepted returns what the listener has accepted.
func accepted(c net.Conn) net.Conn {
	if ours, ok := asHTTP2(c); ok {
		return ours.Conn
	}
	return c
}

func (c *conn) isKnown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

func (c *conn) know() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = true
}

// Read also finds out what is spoken, and hears what the client says to the PINGs.
func (c *conn) Read(b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return c.Conn.Read(b)
	case len(c.held) > 0:
	case c.seen < 0:
		return c.Conn.Read(b)
	case c.seen < len(preface):
		return c.readPreface(b)
	case c.left > 0:
		n, err := c.Conn.Read(b[:min(c.left, len(b))])
		c.left -= n
		return n, err
	default:
		if err := c.readHead(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.held)
	c.held = c.held[n:]
	return n, nil
}

// readPreface reads no more than what tells HTTP/2 from everything else.
func (c *conn) readPreface(b []byte) (int, error) {
	expected := preface[c.seen:]
	n, err := c.Conn.Read(b[:min(len(expected), len(b))])
	if string(b[:n]) != expected[:n] {
		c.seen = -1 // it is not
		return n, err
	}
	if c.seen += n; c.seen == len(preface) {
		c.s.know(c)
	}
	return n, err
}

// readHead holds the head of the next frame, and all of one that acknowledges a PING.
func (c *conn) readHead() error {
	if err := c.fill(headLen); err != nil {
		return err
	}
	if isShortAck(c.head[:]) {
		if err := c.fill(shortLen); err != nil {
			return err
		}
		c.acknowledged(token(c.head[headLen:]))
	} else {
		c.left = payloadLen(c.head[:])
	}
	c.held, c.have = c.head[:c.have], 0
	return nil
}

// fill reads n bytes of a frame. What has come before an error is there for the next call.
func (c *conn) fill(n int) error {
	for c.have < n {
		got, err := c.Conn.Read(c.head[c.have:n])
		if c.have += got; err != nil && c.have < n {
			if err == io.EOF && c.have > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// acknowledged is called when the client has answered a PING, in the frame that the head has.
func (c *conn) acknowledged(t token) {
	switch t {
	case heard:
		c.later(func() { c.say(short(typePing, 0, finished)) })
	case finished:
		copy(c.head[:], goAway(0))
	}
}

func (c *conn) later(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && c.pause == nil {
		c.pause = time.AfterFunc(lastStreams, f)
	}
}

// announce tells the client that the connection ends.
func (c *conn) announce() { c.say(append(goAway(anyStream), short(typePing, 0, heard)...)) }

// say writes frames as soon as no other is under way.
func (c *conn) say(frames []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = append(c.due, frames...)
	c.writeDue() // an error is the next writer's, too
}

// writeDue writes what is due, if it may come here: after the server's first frame, which has to be
// SETTINGS, and not after a GOAWAY of its own, which says more.
func (c *conn) writeDue() (err error) {
	if len(c.due) > 0 && c.out.between() && c.out.frames > 0 {
		if !c.out.ending {
			_, err = c.Conn.Write(c.due)
		}
		c.due = nil
	}
	return err
}

// Write writes what is due between two frames.
func (c *conn) Write(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return c.Conn.Write(b)
	}
	for err == nil && len(b) > n {
		end := n + c.upTo(b[n:])
		var m int
		m, err = c.Conn.Write(b[n:end])
		if n += m; err == nil {
			err = c.writeDue()
		}
	}
	return n, err
}

// upTo returns how much of b may be written at once, and notes that it has been: all of it, or up
// to where something is due.
func (c *conn) upTo(b []byte) (n int) {
	for n < len(b) {
		if n += c.out.advance(b[n:]); len(c.due) > 0 && c.out.between() && c.out.frames > 0 {
			break
		}
	}
	return n
}

// Close also ends what waits.
func (c *conn) Close() error {
	err := c.Conn.Close() // a call that writes ends by this
	c.s.forget(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.pause != nil {
		c.pause.Stop()
	}
	return err
}

// ReadFrom lets the system copy files, which HTTP/1.1 does.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if c.isKnown() {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	return io.Copy(c.Conn, r)
}

// CloseWrite is what package http's server calls before it closes a connection on which something
// may be under way.
func (c *conn) CloseWrite() error {
	if inner, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return inner.CloseWrite()
	}
	return nil
}
