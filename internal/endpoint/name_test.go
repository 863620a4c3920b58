package endpoint_test

import (
	"errors"
	"path/filepath"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// Rows 92, 187: the listener's name is that of the accepted end and of the client's peer; an end
// without a name is "@".
func TestNamesOfBothEnds(t *testing.T) {
	for typ, network := range map[sock.Type]string{sock.Stream: "unix", sock.Seqpacket: "unixpacket"} {
		l, path := listen(t, typ, 0)
		client := dial(t, typ, path)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, tt := range []struct {
			what      string
			got, want string
		}{
			{"listener", l.Addr().String(), path},
			{"accepted, local", c.LocalAddr().String(), path},
			{"accepted, remote", c.RemoteAddr().String(), "@"},
			{"client, local", client.LocalAddr().String(), "@"},
			{"client, remote", client.RemoteAddr().String(), path},
			{"network", client.RemoteAddr().Network(), network},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: %s is %q, want %q", network, tt.what, tt.got, tt.want)
			}
		}
	}
}

// A listener's file stays if that was asked for.
func TestUnlinkOnClose(t *testing.T) {
	dir := testenv.TempDir(t)
	path := filepath.Join(dir, "s")
	for _, unlink := range []bool{true, false, true} {
		src, err := newSource(path, sock.Stream)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("no message pipe on this system")
		}
		if err != nil {
			t.Fatal(err) // also if the file of the round before is still there
		}
		l := endpoint.Listen(src, endpoint.Config{Type: sock.Stream, Local: path}, 0)
		l.SetUnlinkOnClose(unlink)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if !unlink {
			path = filepath.Join(dir, "t")
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("files left: %q, want the one", names)
	}
}

// What has no descriptor says so; and packets are counted.
func TestSyscallConnAndPackets(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		if _, err := r.listener.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a source without a descriptor: %v", err)
		}
		send(t, r.client, "x", r.open(r.clientProc, descriptor.File, 1)...)
		recv(t, r.server, "x", 1).Close()
		sent, received, ok := r.client.Packets()
		if sent < 1 || received < 1 || !ok {
			t.Errorf("%d packets sent, %d received", sent, received)
		}
	})
}
