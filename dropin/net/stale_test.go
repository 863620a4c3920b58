//go:build windows || (linux && afunix_pipe)

package net_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"afunix"
	"afunix/dropin/net"
	"afunix/internal/testenv"
)

// The environment says whether a socket file is replaced that nobody has the socket of.
func TestReplaceStale(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	listen := func() error {
		l, err := net.Listen("unix", path)
		if err == nil {
			l.Close()
		}
		return err
	}
	t.Setenv("AFUNIX_REPLACE_STALE", "1")
	if err := listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("in use: %v; want EADDRINUSE", err)
	}
	l.Close()
	t.Setenv("AFUNIX_REPLACE_STALE", "")
	if err := listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("stale, and not to be replaced: %v; want EADDRINUSE", err)
	}
	t.Setenv("AFUNIX_REPLACE_STALE", "1")
	if err := listen(); err != nil {
		t.Errorf("stale: %v", err)
	}
}

// As with package net, a bound is no reason to wait for room in the backlog.
func TestDialTimeoutDoesNotWaitForRoom(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	l, err := (&afunix.ListenConfig{Transport: afunix.PipeTransport, Backlog: 1}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for {
		c, err := net.DialTimeout("unix", path, patience)
		if err == nil {
			defer c.Close()
			continue
		}
		if !errors.Is(err, syscall.EAGAIN) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want EAGAIN", err)
		}
		return
	}
}
