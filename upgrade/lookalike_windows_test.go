package upgrade_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/upgrade"
)

// newPipeServer makes somebody else's pipe, which waits for its client; visited reports whether one
// has come.
func newPipeServer(t *testing.T) (name string, visited func() bool) {
	t.Helper()
	name = "afunix-test-" + rand.Text()
	path, err := windows.UTF16PtrFromString(`\\.\pipe\` + name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_BYTE, 1, 0, 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &windows.Overlapped{HEvent: event}
	if err := windows.ConnectNamedPipe(h, o); err != windows.ERROR_IO_PENDING {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var n uint32
		windows.CancelIoEx(h, o)
		windows.GetOverlappedResult(h, o, &n, true)
		windows.CloseHandle(event)
		windows.CloseHandle(h)
	})
	return name, func() bool {
		state, err := windows.WaitForSingleObject(event, 0)
		return err != nil || state != uint32(windows.WAIT_TIMEOUT)
	}
}

// What is no file is refused by its name, as the Address and as that of a socket, and nobody is
// disturbed: the server of a pipe sees no client come.
func TestNamesThatAreNoFilesAreNotOpened(t *testing.T) {
	pipe, visited := newPipeServer(t)
	u := start(t, upgrade.Config{Address: address(t)})
	for name, test := range map[string]struct {
		what string
		err  error
	}{
		`\\.\pipe\` + pipe:        {"name of a pipe", syscall.EADDRINUSE},
		`//./pipe/` + pipe:        {"name of a pipe", syscall.EADDRINUSE},
		`\\?\pipe\` + pipe:        {"name of a pipe", syscall.EADDRINUSE},
		`\\.\x\..\pipe\` + pipe:   {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\pipe\x`:      {"name of a pipe", syscall.EADDRINUSE},
		`\\localhost\c$\temp\x`:   {"another machine", syscall.EADDRNOTAVAIL},
		"NUL":                     {"name of a device", syscall.EADDRINUSE},
		`\\.\COM1`:                {"name of a device", syscall.EADDRINUSE},
		`\\.\GLOBALROOT\Device\x`: {"name of a device", syscall.EADDRINUSE},
	} {
		t.Run(strings.ReplaceAll(name, pipe, "NAME"), func(t *testing.T) {
			other, err := upgrade.New(within(t), upgrade.Config{Address: name})
			if err == nil {
				other.Close()
			}
			expectLookalike(t, err, test.what, test.err)
			_, err = u.Listen(within(t), "web", "unix", name)
			expectLookalike(t, err, test.what, test.err)
			_, err = u.ListenPacket(within(t), "log", "unixgram", name)
			expectLookalike(t, err, test.what, test.err)
			if visited() {
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
