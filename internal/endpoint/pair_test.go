package endpoint_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// A pair works like any connection.
func TestPair(t *testing.T) {
	testenv.NeedPipeRights(t)
	a, b, err := newPair()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no message pipe on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	x, y, err := endpoint.Pair(a, b, endpoint.Config{Type: sock.Stream})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	defer y.Close()
	for _, dir := range [][2]*endpoint.Conn{{x, y}, {y, x}} {
		send(t, dir[0], "through the pair", file(t))
		recv(t, dir[1], "through the pair", 1).Close()
		if who, err := dir[1].PeerCredentials(); err != nil || who.PID != os.Getpid() {
			t.Errorf("peer is %+v, %v", who, err)
		}
	}
}

// A pair whose ends do not understand each other is not made, and nothing of it is left.
func TestPairFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		for _, side := range []string{"server", "client"} {
			s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
			if side == "server" {
				s.identify = syscall.EACCES
			} else {
				c.identify = syscall.EACCES
			}
			if _, _, err := endpoint.Pair(s, c, r.config(r.serverProc, sock.Stream)); !errors.Is(err, syscall.EACCES) {
				t.Errorf("%s: %v", side, err)
			}
			if !s.isClosed() || !c.isClosed() {
				t.Errorf("%s: a pipe is open", side)
			}
		}
	})
}
