package net_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	stdnet "net"
)

// Types that other packages take are theirs, or can be converted.
var (
	_ *stdnet.UnixAddr     = (*net.UnixAddr)(nil)
	_ stdnet.Conn          = (*net.UnixConn)(nil)
	_ *stdnet.Dialer       = (*stdnet.Dialer)((*net.Dialer)(nil))
	_ *stdnet.ListenConfig = (*stdnet.ListenConfig)((*net.ListenConfig)(nil))
	_ *stdnet.TCPConn      = (*net.TCPConn)(nil)
)

// Whatever can dial reaches whatever can listen.
func TestDialers(t *testing.T) {
	path := socketPath(t)
	config := net.ListenConfig{}
	l, err := config.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	for name, dial := range map[string]func() (net.Conn, error){
		"Dial":        func() (net.Conn, error) { return net.Dial("unix", path) },
		"DialTimeout": func() (net.Conn, error) { return net.DialTimeout("unix", path, patience) },
		"DialUnix":    func() (net.Conn, error) { return net.DialUnix("unix", nil, addr) },
		"Dialer":      func() (net.Conn, error) { return (&net.Dialer{Timeout: patience}).Dial("unix", path) },
		"Deadline": func() (net.Conn, error) {
			return (&net.Dialer{Deadline: time.Now().Add(patience)}).DialContext(t.Context(), "unix", path)
		},
		"named": func() (net.Conn, error) {
			defer os.Remove(path + "c")
			return (&net.Dialer{LocalAddr: &net.UnixAddr{Name: path + "c", Net: "unix"}}).Dial("unix", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if name == "named" && s.RemoteAddr().String() != path+"c" {
				t.Error(s.RemoteAddr())
			}
			if got := c.RemoteAddr().String(); got != path {
				t.Error(got)
			}
		})
	}
}

func TestDialersThatFail(t *testing.T) {
	path := socketPath(t)
	l := listen(t, "unix", path)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := new(net.Dialer).DialContext(canceled, "unix", path); err == nil {
		c.Close()
		t.Error("a dial that was given up before it began has succeeded")
	}
	mismatched := net.Dialer{LocalAddr: &net.TCPAddr{}}
	if _, err := mismatched.Dial("unix", path); err == nil {
		t.Error("dialled from an address of another network")
	}
	if !overPipe {
		return
	}
	refused := net.Dialer{Control: func(string, string, syscall.RawConn) error { return nil }}
	if _, err := refused.Dial("unix", l.Addr().String()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a dialer with a Control function: %v", err)
	}
	var unknown net.UnknownNetworkError
	if l, err := net.Listen("unixgram", path+"2"); !errors.As(err, &unknown) {
		t.Errorf("Listen for datagrams: %v, %v", l, err)
	}
	for _, network := range listened {
		if c, err := net.ListenPacket(network, path+"2"); !errors.As(err, &unknown) {
			t.Errorf("ListenPacket of %s: %v, %v", network, c, err)
		}
	}
	config := net.ListenConfig{Control: func(string, string, syscall.RawConn) error { return nil }}
	if _, err := config.Listen(t.Context(), "unix", path+"2"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a ListenConfig with a Control function: %v", err)
	}
}
