package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

func init() {
	children["heir"] = heirMain
	children["heir of nothing"] = heirOfNothing
	children["heir that dies"] = func(args []string) error {
		if _, err := echoInherited(args[0]); err != nil {
			return err
		}
		os.Exit(0) // with the end open
		return nil
	}
	children["sit"] = func([]string) error {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
}

// heirMain echoes one message over each inherited end, and starts a process that must inherit
// nothing.
func heirMain(args []string) error {
	cmd := testchild.Command(context.Background(), "heir of nothing")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("grandchild: %w: %s", err, out)
	}
	for _, name := range args {
		c, err := echoInherited(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// echoInherited returns the end, which is still open.
func echoInherited(name string) (*afunix.Conn, error) {
	c, err := afunix.Inherited(name)
	if err != nil {
		return nil, err
	}
	if _, err := afunix.Inherited(name); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the second time: %v", err)
	}
	c.SetDeadline(time.Now().Add(patience))
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil {
		return nil, err
	}
	defer m.Rights.Close()
	if m.Rights.Len() == 0 {
		_, err := c.Write([]byte(name + ": " + string(m.Data)))
		return c, err
	}
	f, err := m.Rights.File(0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = c.WriteMsg([]byte(name+": "+string(m.Data)), f)
	return c, err
}

func heirOfNothing([]string) error {
	if v, ok := os.LookupEnv("AFUNIX_INHERITED"); ok {
		return fmt.Errorf("it is told of %s", v)
	}
	if _, err := afunix.Inherited("one"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it inherits something: %v", err)
	}
	return expectNoSockets()
}

// runHeir starts a child, closes the attached ends, and returns what waits for it.
func runHeir(t *testing.T, cmd *exec.Cmd, attached ...*afunix.Conn) (wait func()) {
	t.Helper()
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range attached {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	return func() {
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v: %s", err, said)
		}
	}
}

func TestChildInheritsTheEndsThatAreAttached(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		names := []string{"one", "two words; = \"quoted\""}
		cmd := child(t, "heir", names...)
		var kept, given []*afunix.Conn
		for _, name := range names {
			ours, theirs := pair(t, tr, network)
			if err := theirs.AttachTo(cmd, name); err != nil {
				t.Fatal(err)
			}
			kept, given = append(kept, ours), append(given, theirs)
		}
		wait := runHeir(t, cmd, given...)
		for i, c := range kept {
			file := testenv.TempFile(t, "text")
			mustWriteMsg(t, c, "hello", file)
			m := mustReadMsg(t, c, names[i]+": hello", 1)
			f, err := m.Rights.File(0)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(f); string(text) != "text" || err != nil {
				t.Errorf("the file says %q, %v", text, err)
			}
			f.Close()
		}
		wait()
		if network == "unixgram" {
			return
		}
		if _, err := kept[0].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the child has ended: %v, want EOF", err)
		}
	})
}

// Children that are started while an end is attached to another one, or by that, do not get it: or
// its peer would see no EOF.
func TestOtherChildrenInheritNothing(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		ours, theirs := pair(t, tr, network)
		cmd := child(t, "heir that dies", "one")
		if err := theirs.AttachTo(cmd, "one"); err != nil {
			t.Fatal(err)
		}
		other := child(t, "sit")
		stdin, err := other.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		defer other.Wait()
		defer stdin.Close()
		wait := runHeir(t, cmd, theirs)
		if _, err := ours.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		mustReadMsg(t, ours, "one: hello", 0)
		wait()
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%v, want EOF", err)
		}
	})
}

// Many children are started at the same moment, and each gets what is attached to it, and nothing
// else: those that stay would keep from the others' peers that these have died.
func TestChildrenThatAreStartedAtTheSameMoment(t *testing.T) {
	const many = 4
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		var started sync.WaitGroup
		begin := make(chan struct{})
		atOnce := func(start func() error) {
			started.Go(func() {
				<-begin
				if err := start(); err != nil {
					t.Error(err)
				}
			})
		}
		var peers []*afunix.Conn
		var heirs []*exec.Cmd
		for range many {
			other := child(t, "sit")
			stdin, err := other.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			atOnce(other.Start)
			defer other.Wait()
			defer stdin.Close()

			ours, theirs := pair(t, tr, network)
			heir := child(t, "heir that dies", "one")
			atOnce(func() error {
				if err := theirs.AttachTo(heir, "one"); err != nil {
					return err
				}
				return errors.Join(heir.Start(), theirs.Close())
			})
			peers, heirs = append(peers, ours), append(heirs, heir)
		}
		close(begin)
		started.Wait()
		if t.Failed() {
			return
		}
		for i, c := range peers {
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			mustReadMsg(t, c, "one: hello", 0)
			if err := heirs[i].Wait(); err != nil {
				t.Error(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%v, want EOF", err)
			}
		}
	})
}

// What was written before the child existed is there for it.
func TestChildInheritsWhatWaitsToBeRead(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		ours, theirs := pair(t, tr, network)
		cmd := child(t, "heir", "one")
		if _, err := ours.Write([]byte("early")); err != nil {
			t.Fatal(err)
		}
		if err := theirs.AttachTo(cmd, "one"); err != nil {
			t.Fatal(err)
		}
		wait := runHeir(t, cmd, theirs)
		mustReadMsg(t, ours, "one: early", 0)
		wait()
	})
}

func TestAttachToRefuses(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		_, a := pair(t, tr, network)
		_, b := pair(t, tr, network)
		cmd := child(t, "heir", "one")
		if err := a.AttachTo(cmd, ""); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("without a name: %v", err)
		}
		if err := a.AttachTo(cmd, "one"); err != nil {
			t.Fatal(err)
		}
		if err := b.AttachTo(cmd, "one"); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("the same name again: %v", err)
		}
		if err := a.AttachTo(cmd, "two"); err == nil {
			t.Error("an end was attached twice")
		}
		if _, err := a.Write([]byte("x")); err == nil {
			t.Error("an attached end can still be written to")
		}
	})
}

// An end that is attached to a child which is never started is closed with Close, as its peer sees.
func TestAttachedEndIsClosed(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		ours, theirs := pair(t, tr, network)
		if err := theirs.AttachTo(child(t, "heir", "one"), "one"); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Close(); err != nil {
			t.Error(err)
		}
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%v, want EOF", err)
		}
	})
}

// What cannot be written into an environment stays, and nothing has changed.
func TestAttachToRefusesWhatIsTooMuch(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("the kernel keeps it with the socket")
		}
		a, b := pair(t, tr, network)
		file := testenv.TempFile(t, "text")
		mustWriteMsg(t, a, "with a file", file)
		if err := b.AttachTo(child(t, "heir", "one"), "one"); !errors.Is(err, syscall.ETOOMANYREFS) {
			t.Errorf("with a descriptor in the queue: %v", err)
		}
		mustReadMsg(t, b, "with a file", 1)
		much := strings.Repeat("x", 32<<10)
		if _, err := a.Write([]byte(much)); err != nil {
			t.Fatal(err)
		}
		if err := b.AttachTo(child(t, "heir", "one"), "one"); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("with 32 KiB in the queue: %v", err)
		}
		if _, err := io.ReadFull(b, make([]byte, len(much))); err != nil {
			t.Error(err)
		}
		mustWriteMsg(t, b, "still here", file)
		mustReadMsg(t, a, "still here", 1)
	})
}
