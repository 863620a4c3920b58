package apitest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// What is no file is refused by its name, and nobody is disturbed: the server of a pipe sees no
// client come, unless it is dialled as a plain stream.
func TestNamesThatAreNoFilesAreNotOpened(t *testing.T) {
	s := testenv.NewPipeServer(t)
	for name, test := range map[string]struct {
		what string
		bind error
	}{
		`//./pipe/` + s.Name:       {"name of a pipe", syscall.EADDRINUSE},
		`\\.\PIPE\` + s.Name:       {"name of a pipe", syscall.EADDRINUSE},
		`\\?\pipe\` + s.Name:       {"name of a pipe", syscall.EADDRINUSE},
		`\\.\C:\..\pipe\` + s.Name: {"name of a pipe", syscall.EADDRINUSE},
		`\\.\x\..\pipe\` + s.Name:  {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\pipe\x`:       {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\c$\temp\x`:    {"another machine", syscall.EADDRNOTAVAIL},
		`//localhost/share/x`:      {"another machine", syscall.EADDRNOTAVAIL},
		"NUL":                      {"name of a device", syscall.EADDRINUSE},
		"CON":                      {"name of a device", syscall.EADDRINUSE},
		`\\.\COM1`:                 {"name of a device", syscall.EADDRINUSE},
	} {
		t.Run(strings.ReplaceAll(name, s.Name, "NAME"), func(t *testing.T) {
			for _, network := range all {
				expectLookalike(t, dialError(afunix.PipeTransport, network, name), test.what, syscall.ECONNREFUSED)
				if network != "unix" || !strings.HasSuffix(name, s.Name) {
					expectLookalike(t, dialError(afunix.DefaultTransport, network, name), test.what, syscall.ECONNREFUSED)
				}
			}
			expectLookalike(t, dialError(afunix.KernelTransport, "unix", name), test.what, syscall.ECONNREFUSED)
			_, err := afunix.Listen("unix", name)
			expectLookalike(t, err, test.what, test.bind)
			_, err = (&afunix.ListenConfig{Transport: afunix.KernelTransport}).Listen(t.Context(), "unix", name)
			expectLookalike(t, err, test.what, test.bind)
			_, err = afunix.ListenPacket("unixgram", name)
			expectLookalike(t, err, test.what, bindPacketError(name, s.Name, test.bind))
			c, err := afunix.ListenPacket("unixgram", socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			guard(t, c)
			_, err = c.WriteMsgTo([]byte("x"), &net.UnixAddr{Name: name, Net: "unixgram"})
			expectLookalike(t, err, test.what, syscall.ECONNREFUSED)
			d := afunix.Dialer{LocalAddr: &net.UnixAddr{Name: name, Net: "unix"}}
			_, err = d.DialContext(t.Context(), "unix", filepath.Join(testenv.TempDir(t), "nobody"))
			expectLookalike(t, err, test.what, test.bind)
			if s.Visited() {
				t.Error("the server of the pipe has seen a client")
			}
		})
	}
}

// bindPacketError is the error of binding a socket that is no stream: EINVAL at the name of a pipe
// of this machine, where a stream could listen.
func bindPacketError(name, pipe string, stream error) error {
	if strings.HasSuffix(name, pipe) {
		return syscall.EINVAL
	}
	return stream
}

func dialError(tr afunix.Transport, network, address string) error {
	c, err := (&afunix.Dialer{Transport: tr}).DialContext(context.Background(), network, address)
	if err == nil {
		c.Close()
	}
	return err
}

func expectLookalike(t *testing.T, err error, what string, errno error) {
	t.Helper()
	var op *net.OpError
	var call *os.SyscallError
	if !errors.Is(err, errno) || !errors.As(err, &op) || !errors.As(err, &call) || !strings.Contains(err.Error(), what) {
		t.Errorf("%v; want %v, and that it is %q", err, errno, what)
	}
}

// A socket file of others is refused as any file, with a word about what it is; but for those
// behind which there is a stream.
func TestSocketFilesOfOthers(t *testing.T) {
	for content, test := range map[string]struct{ what, dialled string }{
		"%Assuan%\nsocket=C:/Users/x/S.gpg-agent\n":                                                             {what: "of GnuPG"},
		"!<afunix socket 2>\nstream\nwhatever comes then, and it may be long, longer than what version 1 has\n": {what: "another version"},

		"!<socket >52301 s 1A2B3C4D-1A2B3C4D-1A2B3C4D\x00":          {what: "Cygwin"}, // three numbers
		"!<socket >52301 d 1A2B3C4D-1A2B3C4D-1A2B3C4D-1A2B3C4D\x00": {what: "Cygwin"}, // datagrams
		"!<socket >%port s 1A2B3C4D-1A2B3C4D-1A2B3C4D-1A2B3C4D\x00": {"Cygwin", "nobody listens any more"},
		"%port\n0123456789abcdef":                                   {"GnuPG on Windows", "nobody listens any more"},
	} {
		content = strings.Replace(content, "%port", closedPort(t), 1)
		path := socketPath(t)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, network := range all {
			expectLookalike(t, dialError(afunix.PipeTransport, network, path), test.what, syscall.ECONNREFUSED)
			what := test.what
			if network == "unix" && test.dialled != "" {
				what = test.dialled
			}
			expectLookalike(t, dialError(afunix.DefaultTransport, network, path), what, syscall.ECONNREFUSED)
		}
		if after, err := os.ReadFile(path); string(after) != content || err != nil {
			t.Errorf("%q, %v afterwards", after, err)
		}
	}
}

// closedPort returns a port of this machine at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
