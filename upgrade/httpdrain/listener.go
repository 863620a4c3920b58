package httpdrain

import "net"

// A listener accepts connections that can be told that they end.
type listener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// wrap returns c as a connection that may be one of unencrypted HTTP/2, if the server speaks that.
func (s *Server) wrap(c net.Conn) net.Conn {
	if p := s.srv.Protocols; p == nil || !p.UnencryptedHTTP2() {
		return c
	}
	return &conn{Conn: c, s: s}
}
