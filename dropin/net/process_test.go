package net_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

// sender sends a file and the end of a pair, closes its own of both, and uses the other end.
func sender(args []string) error {
	path := args[0]
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := os.Open(filepath.Join(filepath.Dir(path), "file"))
	if err != nil {
		return err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if _, err := syscall.Write(pair[0], []byte("early, ")); err != nil {
		return err
	}
	rights := syscall.UnixRights(int(f.Fd()), pair[1])
	if _, _, err := c.(*net.UnixConn).WriteMsgUnix(nil, rights, nil); err != nil {
		return err
	}
	f.Close()
	if err := syscall.Close(pair[1]); err != nil {
		return err
	}
	if _, err := syscall.Write(pair[0], []byte("late")); err != nil {
		return err
	}
	if err := syscall.Close(pair[0]); err != nil {
		return err
	}
	_, err = io.ReadAll(c) // until the other process has read everything
	return err
}

func TestBetweenProcesses(t *testing.T) {
	needRights(t)
	dir := testenv.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "unix", filepath.Join(dir, "s"))
	cmd := testchild.Command(t.Context(), "sender", filepath.Join(dir, "s"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := guard(t, s)
	oob := make([]byte, syscall.CmsgSpace(2*4))
	n, oobn, _, _, err := server.ReadMsgUnix(make([]byte, 10), oob)
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	fds := rightsOf(t, oob[:oobn])
	if len(fds) != 2 {
		t.Fatal(fds)
	}
	expectFile(t, fds[0], "hello")
	if got, err := io.ReadAll(asConn(t, fds[1])); string(got) != "early, late" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	server.Close()
	if err := cmd.Wait(); err != nil {
		t.Error("the other process:", err)
	}
}
