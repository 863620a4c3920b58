//go:build !go1.27

package httpdrain

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A secure says how connections with TLS become secureConns. The listener has to return a
// *tls.Conn, or package http of Go 1.26 would not see that it is TLS; what serves HTTP/2 on one is
// found in TLSNextProto, once Serve has been called.
type secure struct{ once sync.Once }

func newSecure(*http.Server) *secure { return new(secure) }

// Under these keys, package http has what serves HTTP/2 with TLS, and what serves any connection
// whose preface has been read. (Both, and how the latter is called, are the same in Go 1.24 to
// 1.26; golang.org/x/net/http2 puts there what understands the same.)
const (
	nextTLS   = "h2"
	nextPlain = "unencrypted_http2"
)

// hook replaces what serves HTTP/2 with TLS.
func (s *Server) hook() {
	serve := s.srv.TLSNextProto[nextPlain]
	if serve == nil || s.srv.TLSNextProto[nextTLS] == nil {
		return
	}
	s.srv.TLSNextProto[nextTLS] = func(srv *http.Server, inner *tls.Conn, h http.Handler) {
		c := secureConn{&conn{Conn: inner, s: s}, inner}
		defer c.Close()
		if !c.awaitPreface() {
			return
		}
		serve(srv, tls.Client(carrier{conn: c}, nil), handler{h, c})
	}
}

// prefaceTimeout is how long package http waits for a preface.
const prefaceTimeout = 10 * time.Second

// awaitPreface reads the preface, and reports whether that is what has come.
func (c secureConn) awaitPreface() bool {
	c.SetReadDeadline(time.Now().Add(prefaceTimeout))
	defer c.SetReadDeadline(time.Time{})
	_, err := io.ReadFull(c, make([]byte, len(preface)))
	return err == nil && c.isKnown()
}

// A carrier is what package http expects below a *tls.Conn that is none.
type carrier struct {
	net.Conn // nil
	conn     net.Conn
}

func (c carrier) UnencryptedNetConn() net.Conn { return c.conn }

// A handler has the method by which package http passes on a connection's context.
type handler struct {
	http.Handler
	conn net.Conn
}

func (h handler) BaseContext() context.Context {
	ctx := context.Background()
	if base, ok := h.Handler.(interface{ BaseContext() context.Context }); ok {
		ctx = base.BaseContext()
	}
	return withConn(ctx, h.conn)
}

// wrapAny is for a listener that may have TLS of its own.
func (s *Server) wrapAny(c net.Conn) net.Conn {
	if c = s.wrapNone(c); isTLS(c) {
		return c
	}
	return s.wrap(c)
}

// wrapNone is for a listener below TLS. Package http has called it after it has put there its own,
// and before it serves the first connection.
func (s *Server) wrapNone(c net.Conn) net.Conn {
	s.overTLS.once.Do(s.hook)
	return c
}

func isTLS(c net.Conn) bool {
	_, ok := c.(*tls.Conn)
	return ok
}

func (s *Server) serveTLS(l net.Listener, certFile, keyFile string) error {
	return s.srv.ServeTLS(listener{l, s.wrapNone}, certFile, keyFile)
}
