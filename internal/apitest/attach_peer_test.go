package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

func init() {
	children["heir that begins"] = heirThatBegins
	children["heir that attaches"] = heirThatAttaches
	children["heir that reads credentials"] = heirThatReadsCredentials
	children["heir that writes"] = func(args []string) error {
		c, err := afunix.Inherited(args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if _, err = c.Write([]byte("child")); err == nil {
			fmt.Println("written")
			_, err = c.Read(make([]byte, 1)) // Windows cannot say the number of a process that has ended
		}
		if err != io.EOF {
			return err
		}
		return nil
	}
}

// heirThatBegins sends a message over the inherited end, and expects it back from another heir.
func heirThatBegins(args []string) error {
	c, err := afunix.Inherited(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if _, err := c.WriteMsg([]byte("hello"), w); err != nil {
		return fmt.Errorf("WriteMsg: %w", err)
	}
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil {
		return fmt.Errorf("ReadMsg: %w", err)
	}
	defer m.Rights.Close()
	if want := "other: hello"; string(m.Data) != want || m.Rights.Len() != 1 {
		return fmt.Errorf("%q with %d descriptors; want %q with one", m.Data, m.Rights.Len(), want)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("after the other one has ended: %v; want EOF", err)
	}
	return nil
}

// within fails the test if f takes long, and returns what it does.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal(what, "has not returned")
		return nil
	}
}

func attach(t *testing.T, c *afunix.Conn, cmd *exec.Cmd, name string) {
	t.Helper()
	if err := within(t, "AttachTo", func() error { return c.AttachTo(cmd, name) }); err != nil {
		t.Fatal(err)
	}
}

// Both ends of a pair go to children, of which neither has been started when they are attached.
func TestBothEndsOfAPairAreAttached(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		for _, order := range []string{"the first end's child first", "the second end's child first"} {
			t.Run(order, func(t *testing.T) {
				x, y := pair(t, tr, network)
				one, other := child(t, "heir that begins", "one"), child(t, "heir", "other")
				attach(t, x, one, "one")
				if err := y.SetPassCredentials(true); err != nil { // of which nobody takes note
					t.Fatal(err)
				}
				attach(t, y, other, "other")
				var waits [2]func()
				if order == "the first end's child first" {
					waits[0] = runHeir(t, one, x)
					waits[1] = runHeir(t, other, y)
				} else {
					waits[0] = runHeir(t, other, y)
					waits[1] = runHeir(t, one, x)
				}
				for _, wait := range waits {
					wait()
				}
			})
		}
	})
}

// What is done to an end whose peer nobody has yet waits for nobody, and the child finds it done.
func TestThePeerOfAnEndThatNobodyHasYet(t *testing.T) {
	for what, do := range map[string]func(c *afunix.Conn) error{
		"Write":              func(c *afunix.Conn) error { _, err := c.Write([]byte("x")); return err },
		"Close":              (*afunix.Conn).Close,
		"CloseRead":          (*afunix.Conn).CloseRead,
		"CloseWrite":         (*afunix.Conn).CloseWrite,
		"SetPassCredentials": func(c *afunix.Conn) error { return c.SetPassCredentials(true) },
		"SetWriteBuffer":     func(c *afunix.Conn) error { return c.SetWriteBuffer(10_000) },
	} {
		t.Run(what, func(t *testing.T) {
			each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
				x, y := pair(t, tr, network)
				cmd := child(t, "heir", "x")
				attach(t, x, cmd, "x")
				begun := time.Now()
				if err := within(t, what, func() error { return do(y) }); err != nil {
					t.Error(err)
				}
				t.Log(time.Since(begun))
			})
		})
	}
}

// Data that was written meanwhile is there when the child comes, and descriptors go to the child
// that comes.
func TestWhatIsWrittenToAnEndThatNobodyHasYet(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		cmd := child(t, "heir", "x")
		attach(t, x, cmd, "x")
		if _, err := y.Write([]byte("early")); err != nil {
			t.Fatal(err)
		}
		wait := runHeir(t, cmd, x)
		mustReadMsg(t, y, "x: early", 0)
		wait()
	})
}

// Descriptors can only go to a process. Until there is one they wait, but not beyond the deadline.
// (And not for ever: see package endpoint.)
func TestDescriptorsToAnEndThatNobodyHasYet(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		attach(t, x, child(t, "heir", "x"), "x")
		file := testenv.TempFile(t, "")
		y.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := y.WriteMsg([]byte("x"), file)
		if tr == afunix.KernelTransport {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("WriteMsg = %d, %v; want the deadline", n, err)
		}
		y.SetWriteDeadline(time.Now().Add(patience))
		if _, err := y.Write([]byte("x")); err != nil {
			t.Errorf("what was not sent has broken the connection: %v", err)
		}
	})
}

// An end that is attached, and whose peer was, is what it was if that fails; and closing both
// before any child has been started ends both.
func TestAttachFailsWhileThePeerIsAway(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		cmd := child(t, "heir", "x")
		attach(t, x, cmd, "x")
		other := child(t, "heir", "y")
		for range 2 {
			if err := within(t, "AttachTo", func() error { return y.AttachTo(other, "") }); !errors.Is(err, syscall.EINVAL) {
				t.Fatal(err)
			}
		}
		wait := runHeir(t, cmd, x)
		file := testenv.TempFile(t, "text")
		mustWriteMsg(t, y, "hello", file)
		mustReadMsg(t, y, "x: hello", 1)
		wait()
	})
}

// heirThatAttaches hands the end on to a child of its own, under another name.
func heirThatAttaches(args []string) error {
	c, err := afunix.Inherited(args[0])
	if err != nil {
		return err
	}
	cmd := testchild.Command(context.Background(), "heir", args[1])
	c.SetWriteDeadline(time.Now().Add(patience))
	if err := c.AttachTo(cmd, args[1]); err != nil {
		return err
	}
	fmt.Println("attached")
	out := new(strings.Builder)
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("grandchild: %w: %s", err, out)
	}
	return nil
}

// heirThatReadsCredentials says which process has written each of two messages.
func heirThatReadsCredentials(args []string) error {
	c, err := afunix.Inherited(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for range 2 {
		m, err := c.ReadMsg(make([]byte, 100))
		if err != nil {
			return err
		}
		m.Rights.Close()
		fmt.Printf("%s %d\n", m.Data, m.Credentials.PID)
	}
	return nil
}

// An end goes from one child to the next while its peer waits for a child that has not been
// started.
func TestAnEndGoesOnWhileItsPeerWaits(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		one := child(t, "heir that begins", "one")
		attach(t, x, one, "one")
		other := child(t, "heir that attaches", "in between", "other")
		attach(t, y, other, "in between")
		p := startPartner(t, other)
		y.Close()
		p.expect("attached")
		runHeir(t, one, x)()
		if err := other.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// An end moves to another process, here this one, while its peer waits.
func TestAnEndIsSentWhileItsPeerWaits(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		one := child(t, "heir", "x")
		attach(t, x, one, "x")
		for range 3 {
			a, b := pair(t, tr, "unix")
			if err := within(t, "WriteMsg", func() error { _, err := a.WriteMsg([]byte("x"), y); return err }); err != nil {
				t.Fatal(err)
			}
			y.Close() // the kernel's is a duplicate
			got, err := mustReadMsg(t, b, "x", 1).Rights.Conn(0)
			if err != nil {
				t.Fatal(err)
			}
			y = got.(*afunix.Conn)
			guard(t, y)
		}
		wait := runHeir(t, one, x)
		file := testenv.TempFile(t, "text")
		mustWriteMsg(t, y, "hello", file)
		mustReadMsg(t, y, "x: hello", 1)
		wait()
	})
}

// A process that fails to attach an end whose peer waits still has that end, and the peer's child
// finds it.
func TestAnEndThatStaysWhileItsPeerWaits(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		if _, err := x.Write(make([]byte, 20_000)); err != nil { // more than a child can be told of
			t.Fatal(err)
		}
		one := child(t, "heir", "x")
		attach(t, x, one, "x")
		for range 2 {
			err := within(t, "AttachTo", func() error { return y.AttachTo(child(t, "heir", "y"), "y") })
			if tr == afunix.KernelTransport {
				return // it has gone
			}
			if !errors.Is(err, syscall.EMSGSIZE) {
				t.Fatalf("AttachTo: %v; want EMSGSIZE", err)
			}
		}
		wait := runHeir(t, one, x)
		file := testenv.TempFile(t, "text")
		mustWriteMsg(t, y, "hello", file)
		if _, err := io.ReadFull(y, make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
		mustReadMsg(t, y, "x: hello", 1)
		wait()
		attach(t, y, child(t, "heir", "y"), "y") // and now it can go
	})
}

// Each message is its writer's, though the end that it was written to was in nobody's hands, and
// the other end has gone since.
func TestCredentialsOfWhatAnEndIsSentThatNobodyHasYet(t *testing.T) {
	for name, order := range map[string][]int{"the reader is started first": {0, 1}, "the writer is started first": {1, 0}} {
		t.Run(name, func(t *testing.T) { testCredentialsOfHeirs(t, order) })
	}
}

func testCredentialsOfHeirs(t *testing.T, order []int) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		x, y := pair(t, tr, network)
		if err := x.SetPassCredentials(true); err != nil {
			t.Fatal(err)
		}
		reader := child(t, "heir that reads credentials", "x")
		attach(t, x, reader, "x")
		if _, err := y.Write([]byte("parent")); err != nil {
			t.Fatal(err)
		}
		writer := child(t, "heir that writes", "y")
		var from, by *partner
		attach(t, y, writer, "y")
		starts := []func(){
			func() { from = startPartner(t, reader); x.Close() },
			func() { by = startPartner(t, writer); y.Close(); by.expect("written") },
		}
		for _, i := range order {
			starts[i]()
		}
		from.expect(fmt.Sprintf("parent %d", os.Getpid()))
		from.expect(fmt.Sprintf("child %d", writer.Process.Pid))
		if err := writer.Wait(); err != nil {
			t.Error(err)
		}
		if err := reader.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// Both ends are attached at the same moment.
func TestBothEndsAreAttachedAtTheSameTime(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		for range 20 {
			x, y := pair(t, tr, network)
			one, other := exec.Command("never-started"), exec.Command("never-started")
			errs := make(chan error, 2)
			go func() { errs <- x.AttachTo(one, "one") }()
			go func() { errs <- y.AttachTo(other, "other") }()
			for range 2 {
				if err := within(t, "AttachTo", func() error { return <-errs }); err != nil {
					t.Error(err)
				}
			}
			x.Close()
			y.Close()
		}
	})
}
