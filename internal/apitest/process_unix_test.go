//go:build unix

package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	"golang.org/x/sys/unix"
)

func init() {
	children["out of descriptors"] = outOfDescriptors
	children["connect out of descriptors"] = connectOutOfDescriptors
	children["send and die"] = sendAndDie
	children["try to dial"] = tryToDial
	children["stranger"] = stranger
}

// SEMANTICS 3: nothing received is inherited by child processes.
func TestReceivedDescriptorsAreCloseOnExec(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := newWitness(t)
		raw, err := w.w.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETFD, 0) })
		if err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, a, "x", w.w, w.w)
		m := mustReadMsg(t, b, "x", 2)
		for i := range 2 {
			d, err := m.Rights.Descriptor(i)
			if err != nil {
				t.Fatal(err)
			}
			if flags, err := unix.FcntlInt(uintptr(d), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
				t.Errorf("flags %#x, %v; want FD_CLOEXEC", flags, err)
			}
			if err := unix.Close(int(d)); err != nil {
				t.Error(err)
			}
		}
	})
}

// SEMANTICS 42, and P3: all are closed, not only those for which there was no room. In a process of its own, because the limit is
// for the whole process.
func TestRightsThatDoNotFitAreAllClosed(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.KernelTransport {
			t.Skip("over pipes descriptors are installed before ReadMsg: another test")
		}
		if out, err := child(t, "out of descriptors", network).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func outOfDescriptors(args []string) error {
	for room := range 3 {
		if err := receiveWithRoom(args[0], room); err != nil {
			return fmt.Errorf("room for %d of 3: %w", room, err)
		}
	}
	return nil
}

// receiveWithRoom receives three descriptors while there is room for fewer.
func receiveWithRoom(network string, room int) error {
	a, b, err := afunix.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := a.WriteMsg([]byte("data"), w, w, w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	restore, err := leaveRoom(room)
	if err != nil {
		return err
	}
	m, err := b.ReadMsg(make([]byte, 10))
	if err := restore(); err != nil {
		return err
	}
	if string(m.Data) != "data" || m.Rights.Len() != 0 || !errors.Is(err, afunix.ErrRightsTruncated) {
		return fmt.Errorf("message %q with %d descriptors, %v", m.Data, m.Rights.Len(), err)
	}
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("a copy is still open: %d, %v", n, err)
	}
	return nil
}

// A process that is out of descriptors while a connection is made, and so cannot hold its peer's process, can receive descriptors later.
func TestRightsArriveThoughThereWasNoRoomAtFirst(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("the kernel holds no process")
		}
		if out, err := child(t, "connect out of descriptors", network).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func connectOutOfDescriptors(args []string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	restore, err := leaveRoom(2) // for the two ends
	if err != nil {
		return err
	}
	a, b, err := afunix.PipeTransport.Pair(args[0])
	if err := errors.Join(err, restore()); err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	for _, way := range [][2]*afunix.Conn{{a, b}, {b, a}} {
		if err := errors.Join(way[0].SetDeadline(time.Now().Add(patience)), way[1].SetDeadline(time.Now().Add(patience))); err != nil {
			return err
		}
		if _, err := way[0].WriteMsg([]byte("x"), w); err != nil {
			return err
		}
		m, err := way[1].ReadMsg(make([]byte, 10))
		if err != nil || m.Rights.Len() != 1 {
			return fmt.Errorf("%d descriptors, %v", m.Rights.Len(), err)
		}
		m.Rights.Close()
	}
	return nil
}

// leaveRoom fills this process's table but for some descriptors. The limit is soft: it is lowered, not raised.
func leaveRoom(room int) (restore func() error, err error) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		return nil, err
	}
	low := before
	low.Cur = 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		return nil, err
	}
	var filling []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		filling = append(filling, fd)
	}
	for range room {
		unix.Close(filling[len(filling)-1])
		filling = filling[:len(filling)-1]
	}
	return func() error {
		for _, fd := range filling {
			unix.Close(fd)
		}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	}, nil
}

// SEMANTICS 51.
func TestDescriptorsSurviveTheirSender(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.KernelTransport {
			t.Skip("the pipe transport has tests of its own for this")
		}
		path := socketPath(t)
		l := listen(t, tr, network, path)
		file := tempFile(t, "inherited")
		if out, err := child(t, "send and die", network, path, file.Name()).CombinedOutput(); err == nil {
			t.Fatalf("the child lives: %s", out)
		}
		c, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		m := mustReadMsg(t, c, "legacy", 1)
		f, err := m.Rights.File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if text, err := io.ReadAll(f); string(text) != "inherited" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}

func sendAndDie(args []string) error {
	c, err := afunix.Dial(args[0], args[1])
	if err != nil {
		return nil // the parent expects a failure
	}
	f, err := os.Open(args[2])
	if err != nil {
		return nil
	}
	if _, err := c.WriteMsg([]byte("legacy"), f); err != nil {
		return nil
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// SEMANTICS 88.
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

// copyExecutable makes a copy that everybody may run; the test binary is built where only its owner may look.
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

// P1: between a privileged server and another user's client, the server duplicates what the client sends. What the server sends,
// nobody can duplicate on Linux, where there is no pushing: EPERM, and nothing is sent. Data flows both ways.
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
