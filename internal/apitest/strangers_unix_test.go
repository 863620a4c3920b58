//go:build unix

package apitest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
)

func init() {
	children["try to dial"] = tryToDial
	children["stranger"] = stranger
}

// Row 88.
func TestNoPermissionIsEACCES(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		dir := filepath.Dir(path)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if network == "unixgram" {
			lc := afunix.ListenConfig{Transport: tr, Mode: 0o600}
			c, err := lc.ListenPacket(t.Context(), network, path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		} else {
			lc := afunix.ListenConfig{Transport: tr, Mode: 0o600}
			l, err := lc.Listen(t.Context(), network, path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		for _, attempt := range []string{"dial", "listen"} {
			cmd := childOfNobody(t, "try to dial", strconv.Itoa(int(tr)), attempt, network, path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", attempt, err, out)
			}
		}
	})
}

// childOfNobody is child as a user without any rights. It needs root.
func childOfNobody(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := child(t, name, args...)
	cmd.Path = copyExecutable(t, cmd.Path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// copyExecutable makes a copy that everybody may run; the test binary is built where only its owner
// may look.
func copyExecutable(t *testing.T, path string) string {
	t.Helper()
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(socketPath(t))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "test")
	if err := os.WriteFile(copied, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return copied
}

// tryToDial expects that it may neither connect to the socket nor bind one beside it.
func tryToDial(args []string) error {
	tr, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	attempt, network, path := args[1], args[2], args[3]
	d := afunix.Dialer{Transport: afunix.Transport(tr)}
	lc := afunix.ListenConfig{Transport: afunix.Transport(tr)}
	switch {
	case attempt == "dial":
		_, err = d.DialContext(context.Background(), network, path)
	case network == "unixgram":
		_, err = lc.ListenPacket(context.Background(), network, path+"2")
	default:
		_, err = lc.Listen(context.Background(), network, path+"2")
	}
	if !errors.Is(err, syscall.EACCES) || !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%v; want EACCES", err)
	}
	return nil
}

// P1: between a privileged server and another user's client, the server duplicates what the client
// sends. What the server sends, nobody can duplicate on Linux, where there is no pushing: EPERM,
// and nothing is sent. Data flows both ways.
func TestStrangersExchangeWhatTheirRightsAllow(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("the kernel asks nobody")
		}
		path := socketPath(t)
		if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := (&afunix.ListenConfig{Transport: tr, Mode: 0o777}).Listen(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		cmd := childOfNobody(t, "stranger", network, path)
		said := new(strings.Builder)
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		l.SetDeadline(time.Now().Add(patience))
		c, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		m, err := c.ReadMsg(make([]byte, 100))
		if err != nil || string(m.Data) != "for root" || m.Rights.Len() != 1 {
			t.Errorf("received %q with %d descriptors, %v", m.Data, m.Rights.Len(), err)
		}
		m.Rights.Close()
		if peer, err := c.PeerCredentials(); err != nil || peer.UID != 65534 || peer.SameUser() {
			t.Errorf("the peer is %+v, %v", peer, err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if n, err := c.WriteMsg([]byte("not sent"), w); n != 0 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("WriteMsg = %d, %v; want EPERM", n, err)
		}
		if _, err := c.Write([]byte("plain data")); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
	})
}

// stranger sends a descriptor, and expects data without one.
func stranger(args []string) error {
	d := afunix.Dialer{Transport: afunix.PipeTransport}
	c, err := d.DialContext(context.Background(), args[0], args[1])
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.WriteMsg([]byte("for root"), os.Stdin); err != nil {
		return err
	}
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil || string(m.Data) != "plain data" || m.Rights.Len() != 0 {
		return fmt.Errorf("received %q with %d descriptors, %v", m.Data, m.Rights.Len(), err)
	}
	return nil
}
