package apitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

// receiveListener passes l over a connection within this process, and returns what arrives.
func receiveListener(t *testing.T, l *afunix.Listener) *afunix.Listener {
	t.Helper()
	a, b := pair(t, afunix.PipeTransport, "unix")
	mustWriteMsg(t, a, "x", l)
	got, err := mustReadMsg(t, b, "x", 1).Rights.Listener(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Close() })
	moved := got.(*afunix.Listener)
	moved.SetDeadline(time.Now().Add(patience))
	return moved
}

// expectGreetings has the listener greet its next clients, which are read from.
func expectGreetings(t *testing.T, l *afunix.Listener, clients ...io.Reader) {
	t.Helper()
	for range clients {
		c := acceptPublic(t, l)
		mustWrite(t, c, "hello")
		c.Close()
	}
	for i, c := range clients {
		if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
			t.Errorf("client %d has read %q, %v", i, got, err)
		}
	}
}

// A listener that moves takes both doors along, and the clients who wait at them, again and again.
func TestListenerWithTwoDoorsMoves(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	for range 3 {
		early := testenv.MustOpenPipe(t, name)
		expectGreetings(t, l, early)
		waits := []io.Reader{testenv.MustOpenPipe(t, name), testenv.MustOpenPipe(t, name), testenv.MustOpenPipe(t, name)}
		l = receiveListener(t, l)
		if l.Addr().String() != name {
			t.Errorf("moved from %s to %v", name, l.Addr())
		}
		expectGreetings(t, l, waits...)
		c, err := afunix.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		if c.Transport() != afunix.PipeTransport {
			t.Error(c.Transport())
		}
		expectGreetings(t, l, c, testenv.MustOpenPipe(t, name))
		_, err = afunix.Listen("unix", name)
		expectLookalike(t, err, "name of a pipe that is there already", syscall.EADDRINUSE)
	}
	l.Close()
	if _, err := testenv.OpenPipe(name); err != windows.ERROR_FILE_NOT_FOUND {
		t.Errorf("after Close: %v", err)
	}
}

// A listener at which more plain clients wait than can go along stays what it was, and so do they.
func TestListenerWithTwoDoorsStays(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	var waits []io.Reader
	for len(waits) < pipe.MaxHandles { // beside them there are instances
		err := within(t, "a client", func() error {
			f, err := openFreePipe(t, name)
			waits = append(waits, f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	a, _ := pair(t, afunix.PipeTransport, "unix")
	if _, err := a.WriteMsg([]byte("x"), l); !errors.Is(err, syscall.ETOOMANYREFS) {
		t.Errorf("sent: %v, want ETOOMANYREFS", err)
	}
	expectGreetings(t, l, waits...)
	l = receiveListener(t, l)
	expectGreetings(t, l, testenv.MustOpenPipe(t, name))
}

// openFreePipe connects once there is room. The file is closed when the test ends.
func openFreePipe(t *testing.T, name string) (*os.File, error) {
	for {
		f, err := testenv.OpenPipe(name)
		if err == nil {
			t.Cleanup(func() { f.Close() })
		}
		if err != windows.ERROR_PIPE_BUSY {
			return f, err
		}
	}
}

// In another process the doors are what they were, and end with that process.
func TestListenerWithTwoDoorsMovesToAnotherProcess(t *testing.T) {
	l, name := listenPublic(t, afunix.ListenConfig{})
	path := socketPath(t)
	way := listen(t, afunix.PipeTransport, "unix", path)
	p := startPartner(t, child(t, "doorkeeper", path))
	c := acceptPublic(t, way)
	early := testenv.MustOpenPipe(t, name)
	if _, err := c.WriteMsg([]byte("x"), l); err != nil {
		t.Fatal(err)
	}
	p.expect("listening at " + name)
	for _, r := range []io.Reader{early, testenv.MustOpenPipe(t, name), testenv.MustOpenPipe(t, name)} {
		expectText(t, r, "plain")
	}
	q, err := afunix.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, q)
	if peer, err := q.PeerCredentials(); err != nil || peer.PID != p.cmd.Process.Pid {
		t.Errorf("served by %+v, %v; want process %d", peer, err, p.cmd.Process.Pid)
	}
	expectText(t, q, "pipe")
	c.Close()
	p.expect("over")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := testenv.OpenPipe(name); err != windows.ERROR_FILE_NOT_FOUND {
		t.Errorf("when the process has ended: %v", err)
	}
}

func init() {
	children["doorkeeper"] = func(args []string) error {
		c, err := afunix.Dial("unix", args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		m, err := c.ReadMsg(make([]byte, 10))
		if err != nil {
			return err
		}
		l, err := m.Rights.Listener(0)
		if err != nil {
			return err
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.(*afunix.Listener).AcceptConn()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					io.WriteString(c, c.Transport().String()) // the client says what it has read
					io.Copy(io.Discard, c)
				}()
			}
		}()
		fmt.Println("listening at", l.Addr())
		_, err = c.Read(make([]byte, 1)) // until it is over
		fmt.Println("over")
		if err == io.EOF {
			return nil
		}
		return err
	}
}
