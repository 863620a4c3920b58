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

	"afunix"
)

func init() {
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
	earn, err := leaveRoom(0)
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

// Whoever dials a process that has run out of descriptors, and whose accept loop has ended with
// that, learns it; and is connected when there is room again, though nobody has called Accept
// since.
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
