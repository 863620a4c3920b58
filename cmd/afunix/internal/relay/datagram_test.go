package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// datagrams starts a relay of datagrams between two new paths.
func datagrams(t *testing.T, tr afunix.Transport) (front string, back *afunix.Conn, logged chan string) {
	t.Helper()
	dir := testenv.TempDir(t)
	front = filepath.Join(dir, "front")
	back = bind(t, tr, filepath.Join(dir, "back"))
	logged = make(chan string, 100)
	d := Datagrams{
		Listen: Address{Network: dgram, Name: front, Transport: tr},
		Target: Address{Network: dgram, Name: back.LocalAddr().String(), Transport: tr},
		Config: &afunix.ListenConfig{Transport: tr, ReplaceStale: true},
		Log:    func(line string) { logged <- line },
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := d.Bind(ctx); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("the relay has not ended")
		}
		if _, err := os.Lstat(front); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket file is there: %v", err)
		}
	})
	return front, back, logged
}

func bind(t *testing.T, tr afunix.Transport, name string) *afunix.Conn {
	t.Helper()
	lc := afunix.ListenConfig{Transport: tr}
	c, err := lc.ListenPacket(t.Context(), dgram, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func dial(t *testing.T, tr afunix.Transport, name string) *afunix.Conn {
	t.Helper()
	c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), dgram, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Datagrams go on with their descriptors, and answers go back to the sender that they are for.
func TestDatagramsAndTheirAnswers(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		front, back, _ := datagrams(t, tr)
		for _, name := range []string{"one", "two"} {
			c := bind(t, tr, filepath.Join(testenv.TempDir(t), name))
			if _, err := c.WriteMsgTo([]byte(name), addressOf(front), testenv.TempFile(t, "file of "+name)); err != nil {
				t.Fatal(err)
			}
			m, err := back.ReadMsg(make([]byte, 100))
			if err != nil || string(m.Data) != name || m.Rights.Len() != 1 || m.From == nil {
				t.Fatalf("%q from %v with %d descriptors, %v", m.Data, m.From, m.Rights.Len(), err)
			}
			if got := textOf(t, m.Rights, 0); got != "file of "+name {
				t.Errorf("%q", got)
			}
			if _, err := back.WriteMsgTo([]byte("to "+name), m.From); err != nil {
				t.Fatal(err)
			}
			m, err = c.ReadMsg(make([]byte, 100))
			if err != nil || string(m.Data) != "to "+name || m.From == nil || m.From.Name != front {
				t.Errorf("%q from %v, %v", m.Data, m.From, err)
			}
		}
		send(t, dial(t, tr, front), "without a name")
		if m, err := back.ReadMsg(make([]byte, 100)); err != nil || string(m.Data) != "without a name" {
			t.Errorf("%q, %v", m.Data, err)
		}
	}, dgram)
}

// More senders than may be answered: each datagram goes on all the same.
func TestManySendersOfDatagrams(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		front, back, _ := datagrams(t, tr)
		for range maxSenders + 10 {
			c := bind(t, tr, "")
			if _, err := c.WriteMsgTo([]byte("x"), addressOf(front)); err != nil {
				t.Fatal(err)
			}
			if _, err := back.ReadMsg(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	}, dgram)
}

// The target is not there: that is said, and the relay goes on.
func TestDatagramsForNobody(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		front, back, logged := datagrams(t, tr)
		closeAll(t, back)
		c := dial(t, tr, front)
		for range 2 {
			send(t, c, "x")
			select {
			case <-logged:
			case <-time.After(patience):
				t.Fatal("nothing is said")
			}
		}
	}, dgram)
}

// A relay that waits for a target that does not read ends when it is told to.
func TestDatagramsForWhoDoesNotRead(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		front, _, _ := datagrams(t, tr)
		c := dial(t, tr, front)
		for {
			if err := c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Write(make([]byte, 1000))
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return // the queues of both are full
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}, dgram)
}

func addressOf(name string) *net.UnixAddr { return &net.UnixAddr{Name: name, Net: dgram} }
