// Package httpdrain ends an [http.Server] without losing a request.
//
// The Shutdown of package http closes idle connections at once, and answers no request that it
// reads afterwards. A client whose request is on its way to such a connection sees the connection
// reset. So a [Server] tells its clients first.
//
// Over HTTP/1.1 every response says "Connection: close" from Shutdown on. A connection is closed
// after one more response, and the client expects that because of the response. So no request is
// lost on a connection that its client uses again before Shutdown's context is done. When the
// context is done, the other connections are closed as after an IdleTimeout, also those on which no
// request has ever come. Package http's client, and most others, then repeat a request by
// themselves if it is safe to repeat.
//
// Over HTTP/2 every client hears at once that it should open no more streams: by a GOAWAY that
// excludes none of its requests (RFC 9113, section 6.8). Every request that the client sends until
// it has heard that, and for a second after, is answered. Then a second GOAWAY names the last
// request. The connection is closed a second after the last response, if its client has not closed
// it before. Package http alone sends only the second GOAWAY: a request that is on its way by then
// has to be sent again, and is lost if it cannot be. Three things are to be known:
//
//   - When a GOAWAY comes, from any server, package http's client (of Go 1.26 and 1.27) gives up a
//     request that it has assigned to the connection but not begun to send: "cannot rewind body
//     after connection loss". The request was not sent, and can be sent again: the client does so
//     by itself if the request has GetBody, or no body. With 80 busy clients, that happened to 0 to
//     8 of 4,000 requests in 25 restarts.
//   - Shutdown waits for a client that does not answer a PING until Shutdown's context is done.
//   - On Go 1.27 with TLS, HTTP/2 may be set up by other means than package http's own: by a
//     TLSNextProto that is there before New, as the ConfigureServer of golang.org/x/net/http2 sets
//     it. Then there is only package http's GOAWAY.
//
// Hijack returns a connection whose type is this package's, on a server that also speaks HTTP/2
// without TLS; on Go 1.27 also with TLS.
//
// A server that is restarted with package upgrade calls Shutdown when Done of its Upgrader is
// closed.
package httpdrain

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"afunix/internal/locks"
)

// A Server is an http.Server that can be drained.
type Server struct {
	srv      *http.Server
	draining atomic.Bool
	serving  sync.WaitGroup // calls of Serve

	mu        locks.Mutex[locks.HTTPServer]
	changed   *sync.Cond
	listeners []net.Listener
	open      int                   // connections
	silent    map[net.Conn]struct{} // those that have not asked anything yet
	told      map[*conn]struct{}    // those of HTTP/2

	overTLS *secure
}

// New prepares srv, before it serves: Handler and ConnState are replaced by functions that call
// them.
func New(srv *http.Server) *Server {
	s := &Server{srv: srv, silent: make(map[net.Conn]struct{}), told: make(map[*conn]struct{}), overTLS: newSecure(srv)}
	s.changed = sync.NewCond(&s.mu)
	handler, connState, connContext := srv.Handler, srv.ConnState, srv.ConnContext
	if handler == nil {
		handler = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() && !isTold(r) {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		c = accepted(c)
		s.count(c, state)
		if connState != nil {
			connState(c, state)
		}
	}
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		ctx = withConn(ctx, c)
		if connContext != nil {
			ctx = connContext(ctx, accepted(c))
		}
		return ctx
	}
	return s
}

// connKey is where the context of a request has the conn on which it came, if it is one.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if ours, ok := asHTTP2(c); ok {
		return context.WithValue(ctx, connKey{}, ours)
	}
	return ctx
}

// isTold reports whether the client that has sent r hears in another way that the connection ends.
func isTold(r *http.Request) bool {
	return r.ProtoMajor == 2 && r.Context().Value(connKey{}) != nil
}

// know is called when c turns out to be a connection of HTTP/2.
func (s *Server) know(c *conn) {
	c.know()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[c] = struct{}{}
	if s.draining.Load() {
		go c.announce()
	}
}

// forget is called when c is closed.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.told, c)
}

func (s *Server) count(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.silent, c)
	switch state {
	case http.StateNew:
		s.open++
		s.silent[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		s.open--
	}
	s.changed.Broadcast()
}

// Serve serves the connections of l, as [http.Server.Serve] does, until Shutdown: then it returns
// [http.ErrServerClosed].
func (s *Server) Serve(l net.Listener) error {
	return s.serve(l, func() error { return s.srv.Serve(listener{l, s.wrapAny}) })
}

// ServeTLS is Serve over TLS, as [http.Server.ServeTLS] has it.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.serve(l, func() error { return s.serveTLS(l, certFile, keyFile) })
}

func (s *Server) serve(l net.Listener, serve func() error) error {
	if !s.begin(l) {
		l.Close()
		return http.ErrServerClosed
	}
	defer s.serving.Done()
	err := serve()
	if s.draining.Load() {
		return http.ErrServerClosed
	}
	return err
}

// begin reports whether l may be served.
func (s *Server) begin(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.listeners = append(s.listeners, l)
	s.serving.Add(1)
	return true
}

// Shutdown accepts no more connections, and returns nil when the last one is closed. Each is closed
// after its next response, or, over HTTP/2, when its client has heard that it ends; when ctx is
// done those without a request under way are closed, and its error is returned. Connections that
// were hijacked are not waited for; what [http.Server.RegisterOnShutdown] has registered for them
// is called when that is over.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
	for c := range s.told {
		go c.announce()
	}
	s.mu.Unlock()
	s.serving.Wait() // then all connections that have been accepted are counted

	err := s.waitForLast(ctx)
	s.closeSilent()
	return errors.Join(err, s.srv.Shutdown(ctx))
}

// closeSilent closes connections that http.Server would spare for their first seconds.
func (s *Server) closeSilent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.silent {
		c.Close()
	}
}

func (s *Server) waitForLast(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 && ctx.Err() == nil {
		s.changed.Wait()
	}
	if s.open > 0 {
		return context.Cause(ctx)
	}
	return nil
}
