package afunix_test

import (
	"io"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"afunix/internal/linuxpipe"
	"afunix/internal/sock"
)

// moves is how often an end moves in a test of what that leaves behind.
const moves = 100

// suspend makes a child do nothing until wake.
func suspend(t *testing.T, p *peer) {
	t.Helper()
	signalChild(t, p, syscall.SIGSTOP)
	var info unix.Siginfo // it has stopped when the kernel says so
	if err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}

func wake(t *testing.T, p *peer) { signalChild(t, p, syscall.SIGCONT) }

func signalChild(t *testing.T, p *peer, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// dialInSilence opens a pipe of the listener at path, and says no hello.
func dialInSilence(t *testing.T, path string, socketType uint8) io.Closer {
	t.Helper()
	p, err := linuxpipe.System{}.Dial(t.Context(), path, "", sock.Type(socketType))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
