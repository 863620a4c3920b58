package upgrade_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"afunix/internal/testenv"
	"afunix/upgrade"
)

// What is no file is refused by its name, as the Address and as that of a socket, and nobody is
// disturbed: the server of a pipe sees no client come.
func TestNamesThatAreNoFilesAreNotOpened(t *testing.T) {
	pipe := testenv.NewPipeServer(t)
	u := start(t, upgrade.Config{Address: address(t)})
	for name, test := range map[string]struct {
		what string
		err  error
	}{
		`\\.\pipe\` + pipe.Name:      {"name of a pipe", syscall.EADDRINUSE},
		`//./pipe/` + pipe.Name:      {"name of a pipe", syscall.EADDRINUSE},
		`\\?\pipe\` + pipe.Name:      {"name of a pipe", syscall.EADDRINUSE},
		`\\.\x\..\pipe\` + pipe.Name: {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\pipe\x`:         {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\c$\temp\x`:      {"another machine", syscall.EADDRNOTAVAIL},
		"NUL":                        {"name of a device", syscall.EADDRINUSE},
		`\\.\COM1`:                   {"name of a device", syscall.EADDRINUSE},
		`\\.\GLOBALROOT\Device\x`:    {"name of a device", syscall.EADDRINUSE},
	} {
		t.Run(strings.ReplaceAll(name, pipe.Name, "NAME"), func(t *testing.T) {
			other, err := upgrade.New(within(t), upgrade.Config{Address: name})
			if err == nil {
				other.Close()
			}
			expectLookalike(t, err, test.what, test.err)
			_, err = u.Listen(within(t), "web", "unix", name)
			expectLookalike(t, err, test.what, test.err)
			_, err = u.ListenPacket(within(t), "log", "unixgram", name)
			if strings.HasSuffix(name, pipe.Name) { // a stream could listen there
				test.err = syscall.EINVAL
			}
			expectLookalike(t, err, test.what, test.err)
			if pipe.Visited() {
				t.Error("the server of the pipe has seen a client")
			}
		})
	}
}

func expectLookalike(t *testing.T, err error, what string, errno error) {
	t.Helper()
	if !errors.Is(err, errno) || !strings.Contains(err.Error(), what) {
		t.Errorf("%v; want %v, and that it is %q", err, errno, what)
	}
}
