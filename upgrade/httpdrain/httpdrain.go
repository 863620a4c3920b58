// Package httpdrain ends an [http.Server] without losing a request.
//
// The Shutdown of package http closes idle connections at once, and answers no request that it reads afterwards: a client whose
// request is on its way to such a connection sees it reset. That is why a [Server] tells its clients first. From Shutdown on, every
// response says "Connection: close" (over HTTP/2 that becomes a GOAWAY), and a connection is closed after one more response, by which its client
// expects it. So no request is lost on a connection that its client uses again before Shutdown's context is done. When that is
// done the other connections are closed as after an IdleTimeout, those included on which nothing has ever been asked; package http's client, and most others, then send a request
// that is safe to repeat once more by themselves.
//
// A server that is restarted with package upgrade calls Shutdown when Done of its Upgrader is closed.
package httpdrain

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// A Server is an http.Server that can be drained.
type Server struct {
	srv      *http.Server
	draining atomic.Bool
	serving  sync.WaitGroup // calls of Serve

	mu        sync.Mutex
	changed   *sync.Cond
	listeners []net.Listener
	open      int                   // connections
	silent    map[net.Conn]struct{} // those that have not asked anything yet
}

// New prepares srv, before it serves: Handler and ConnState are replaced by functions that call them.
func New(srv *http.Server) *Server {
	s := &Server{srv: srv, silent: make(map[net.Conn]struct{})}
	s.changed = sync.NewCond(&s.mu)
	handler, connState := srv.Handler, srv.ConnState
	if handler == nil {
		handler = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		s.count(c, state)
		if connState != nil {
			connState(c, state)
		}
	}
	return s
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

// Serve serves the connections of l, as [http.Server.Serve] does, until Shutdown: then it returns [http.ErrServerClosed].
func (s *Server) Serve(l net.Listener) error {
	return s.serve(l, func() error { return s.srv.Serve(l) })
}

// ServeTLS is Serve over TLS, as [http.Server.ServeTLS] has it.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.serve(l, func() error { return s.srv.ServeTLS(l, certFile, keyFile) })
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

// Shutdown accepts no more connections, and returns nil when the last one is closed. Each is closed after its next response; when ctx is done
// those without a request under way are closed, and its error is returned. Connections that were hijacked are not waited for; what
// [http.Server.RegisterOnShutdown] has registered for them is called when that is over.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
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
