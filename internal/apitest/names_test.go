package apitest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// A client may have a name of its own, which the server sees, and nobody can dial.
func TestDialFromABoundName(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		dir := testenv.TempDir(t)
		l := listen(t, tr, network, filepath.Join(dir, "server"))
		local := &net.UnixAddr{Name: filepath.Join(dir, "client"), Net: network}
		d := afunix.Dialer{Transport: tr, LocalAddr: local}
		c, err := d.DialContext(t.Context(), network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := c.LocalAddr().String(); got != local.Name {
			t.Errorf("the client is %q", got)
		}
		if got := s.RemoteAddr().String(); got != local.Name {
			t.Errorf("the server sees %q", got)
		}
		if _, err := d.DialContext(t.Context(), network, l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("the name again: %v, want EADDRINUSE", err)
		}
		d.LocalAddr = nil
		if _, err := d.DialContext(t.Context(), network, local.Name); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling the client: %v, want ECONNREFUSED", err)
		}
		c.Close()
		if _, err := os.Lstat(local.Name); err != nil {
			t.Errorf("the file of a connection's client stays on Linux: %v", err)
		}
	})
}

// A listener without a name gets one (row 81).
func TestListenChoosesAName(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		l := listen(t, tr, network, "")
		name := l.Addr().String()
		if len(name) != 6 || name[0] != '@' {
			t.Errorf("the name is %q", name)
		}
		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, name)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

func TestUnnamedEndsAreCalledAsInPackageNet(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		if l, r := a.LocalAddr(), a.RemoteAddr(); l.String() != "@" || r.String() != "@" || l.Network() != network {
			t.Errorf("LocalAddr %v, RemoteAddr %v; want @ (row 187)", l, r)
		}
		if network == "unixgram" {
			return
		}
		client, server := connect(t, tr, network)
		if client.RemoteAddr().String() != server.LocalAddr().String() || client.LocalAddr().String() != "@" {
			t.Errorf("client %v → %v, server %v", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr())
		}
	})
}

// A path with a NUL in it is EINVAL wherever an address is taken. The kernel would end the path
// there, and bind or reach another file than the one that was named.
func TestPathsWithNULs(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		name := path + "\x00.d"
		lc := afunix.ListenConfig{Transport: tr}
		d := afunix.Dialer{Transport: tr}
		bound := afunix.Dialer{Transport: tr, LocalAddr: &net.UnixAddr{Name: name, Net: network}}
		_, dialled := d.DialContext(t.Context(), network, name)
		_, from := bound.DialContext(t.Context(), network, path)
		results := map[string]error{"DialContext": dialled, "LocalAddr": from}
		if network == "unixgram" {
			_, results["ListenPacket"] = lc.ListenPacket(t.Context(), network, name)
			s, err := lc.ListenPacket(t.Context(), network, socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			guard(t, s)
			_, results["WriteMsgTo"] = s.WriteMsgTo([]byte("x"), &net.UnixAddr{Name: name, Net: network})
		} else {
			_, results["Listen"] = lc.Listen(t.Context(), network, name)
		}
		for call, err := range results {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s: %v, want EINVAL", call, err)
			}
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something is at the path before the NUL: %v", err)
		}
	})
}
