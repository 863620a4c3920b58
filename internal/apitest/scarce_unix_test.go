//go:build unix

package apitest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

func init() {
	children["out of descriptors"] = outOfDescriptors
	children["connect out of descriptors"] = connectOutOfDescriptors
	children["listen without room"] = listenWithoutRoom
}

// listenWithoutRoom listens until accepting fails, as many programs do, and keeps the listener. It
// has room again when it is told so.
func listenWithoutRoom(args []string) error {
	tr, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	l, err := (&afunix.ListenConfig{Transport: afunix.Transport(tr)}).Listen(context.Background(), args[1], args[2])
	if err != nil {
		return err
	}
	defer l.Close()
	earn, err := testenv.LeaveRoom(0)
	if err != nil {
		return err
	}
	told := bufio.NewReader(os.Stdin)
	fmt.Println("poor")
	if c, err := l.AcceptConn(); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("accepted %v, %v; want EMFILE", c, err)
	}
	if _, err := told.ReadString('\n'); err != nil {
		return err
	}
	if err := earn(); err != nil {
		return err
	}
	fmt.Println("rich")
	_, err = told.ReadString('\n')
	return err
}

func (p *partner) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.to, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// A process has run out of descriptors, and its accept loop has ended with that. A client that
// dials the process learns it, and is connected when there is room again, though nobody has called
// Accept since.
func TestDialOfAProcessThatIsOutOfDescriptors(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		p := startPartner(t, child(t, "listen without room", strconv.Itoa(int(tr)), network, path))
		p.expect("poor")
		d := afunix.Dialer{Transport: tr}
		dial := func() error {
			return within(t, "Dial", func() error {
				c, err := d.DialContext(context.Background(), network, path)
				if err == nil {
					c.Close()
				}
				return err
			})
		}
		for range 2 {
			if err := dial(); tr == afunix.PipeTransport && !errors.Is(err, syscall.EAGAIN) || tr == afunix.KernelTransport && err != nil {
				t.Errorf("Dial: %v", err)
			}
		}
		p.say("earn")
		p.expect("rich")
		if err := dial(); err != nil {
			t.Error("when there is room again:", err)
		}
		p.say("end")
		if err := p.cmd.Wait(); err != nil {
			t.Error("the child:", err)
		}
	})
}

// Row 42, and P3: all are closed, not only those for which there was no room. In a process of its
// own, because the limit is for the whole process.
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
	restore, err := testenv.LeaveRoom(room)
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

// A process that is out of descriptors while a connection is made, and so cannot hold its peer's
// process, can receive descriptors later.
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
	restore, err := testenv.LeaveRoom(2) // for the two ends
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
