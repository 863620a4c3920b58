//go:build go1.27

package httpdrain

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
)

// A secure says how connections with TLS become secureConns: they are what the listener returns,
// since package http takes everything with ConnectionState for TLS.
type secure struct {
	foreign bool // HTTP/2 may be somebody else's, for whom a *tls.Conn has to be one
}

func newSecure(srv *http.Server) *secure { return &secure{foreign: srv.TLSNextProto != nil} }

// HandshakeContext is called by package http.
func (c secureConn) HandshakeContext(ctx context.Context) error {
	if h, ok := c.stater.(interface{ HandshakeContext(context.Context) error }); ok {
		return h.HandshakeContext(ctx)
	}
	return nil
}

// wrapAny is for a listener that may have TLS of its own.
func (s *Server) wrapAny(c net.Conn) net.Conn {
	state, ok := c.(stater)
	switch {
	case !ok:
		return s.wrap(c)
	case s.overTLS.foreign:
		return c
	}
	return secureConn{&conn{Conn: c, s: s}, state}
}

// noFile is none that there can be.
const noFile = "\x00"

// serveTLS puts its listener above TLS, which the ServeTLS of package http puts above its listener.
func (s *Server) serveTLS(l net.Listener, certFile, keyFile string) error {
	if s.overTLS.foreign {
		return s.srv.ServeTLS(l, certFile, keyFile)
	}
	_ = s.srv.ServeTLS(l, noFile, noFile) // fails, but not before HTTP/2 is set up
	config := s.srv.TLSConfig.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	config.NextProtos = s.protocols(config.NextProtos)
	if certFile != "" || keyFile != "" || len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return s.srv.Serve(listener{tls.NewListener(l, config), s.wrapAny})
}

// protocols returns the protocols that a client may choose from: those in the list that the server
// speaks, and those that it speaks besides.
func (s *Server) protocols(list []string) []string {
	spoken := map[string]bool{"h2": true, "http/1.1": true}
	if p := s.srv.Protocols; p != nil {
		spoken["h2"], spoken["http/1.1"] = p.HTTP2(), p.HTTP1()
	}
	list = slices.DeleteFunc(slices.Clone(list), func(name string) bool {
		speaks, known := spoken[name]
		return known && !speaks
	})
	for _, name := range []string{"h2", "http/1.1"} {
		if spoken[name] && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
