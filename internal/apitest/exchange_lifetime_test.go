package apitest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"afunix"
)

func init() {
	parts["bequeath"] = bequeath
	parts["tell who is there"] = tellWhoIsThere
}

// How a sender ends.
const (
	isKilled       = "is killed"
	closesConn     = "closes the connection"
	endsByItself   = "ends"
	heirVariable   = "AFUNIX_TEST_HEIR" // where the receiver's TCP listener is
	endVariable    = "AFUNIX_TEST_END"  // how the sender is to end
	legacyVariable = "AFUNIX_TEST_FILE" // a file that the sender opens
)

// P3: when WriteMsg has returned, the descriptors arrive, whatever becomes of the sender, and
// whether or not the receiver has accepted the connection by then.
func TestExchangeRightsSurviveTheirSender(t *testing.T) {
	eachSide(t, all, func(t *testing.T, a meeting) {
		for _, end := range []string{isKilled, closesConn, endsByItself} {
			a.path += "x"
			t.Run("that "+end, func(t *testing.T) { expectLegacy(t, a, end, false) })
			if a.side == listening {
				a.path += "x"
				t.Run("that "+end+" before it is accepted", func(t *testing.T) { expectLegacy(t, a, end, true) })
			}
		}
	})
}

// expectLegacy reads the message of a sender that has ended; early means before this process has
// called Accept.
func expectLegacy(t *testing.T, a meeting, end string, early bool) {
	file := createTemp(t)
	if _, err := file.WriteString(fileText); err != nil {
		t.Fatal(err)
	}
	heir := listenTCP(t)
	heir.SetDeadline(time.Now().Add(patience))
	t.Setenv(heirVariable, heir.Addr().String())
	t.Setenv(endVariable, end)
	t.Setenv(legacyVariable, file.Name())

	var p *peer
	invite := func() error {
		p = start(t, "exchange", append([]string{"bequeath"}, a.peers().args()...)...)
		if early {
			p.awaitEnd(t, end)
		}
		return nil
	}
	if a.side == dialling {
		invite()
		p.awaitLine(t, listening)
	}
	k, err := a.connect(invite)
	if err != nil {
		t.Fatal(err)
	}
	defer k.c.Close()
	if !early {
		p.awaitEnd(t, end)
	}
	far, err := heir.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()

	addresses, rights, err := k.hear()
	if err != nil {
		t.Fatal(err)
	}
	defer rights.Close()
	inherit(t, rights, far, addresses)
	if a.network == "unixgram" {
		return // it has no end
	}
	if m, err := k.c.ReadMsg(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the last message: %q, %v; want the end", m.Data, err)
	}
}

// awaitEnd returns when the sender has sent, and ended in the way that it is to.
func (p *peer) awaitEnd(t *testing.T, end string) {
	t.Helper()
	p.awaitLine(t, "sent")
	switch end {
	case isKilled:
		p.kill()
	case endsByItself:
		p.expectExit(t)
	}
}

// bequeath sends one of each, and ends.
func bequeath(k *talk) error {
	var files []afunix.Sendable
	var closers []io.Closer
	add := func(f interface {
		afunix.Sendable
		io.Closer
	}) {
		files, closers = append(files, f), append(closers, f)
	}
	file, err := os.Open(os.Getenv(legacyVariable))
	if err != nil {
		return err
	}
	add(file)
	if _, err := file.Seek(7, io.SeekStart); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	add(r)
	if _, err := w.WriteString(pipeText); err != nil {
		return err
	}
	w.Close()
	c, err := net.Dial("tcp", os.Getenv(heirVariable))
	if err != nil {
		return err
	}
	add(c.(*net.TCPConn))
	loopback := net.IPv4(127, 0, 0, 1)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: loopback})
	if err != nil {
		return err
	}
	add(l)
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback})
	if err != nil {
		return err
	}
	add(u)
	if err := k.say(l.Addr().String()+" "+u.LocalAddr().String(), files...); err != nil {
		return err
	}
	if os.Getenv(endVariable) == isKilled {
		return errors.Join(tell("sent"), await())
	}
	for _, c := range append(closers, k.c) {
		err = errors.Join(err, c.Close())
	}
	err = errors.Join(err, tell("sent"))
	if os.Getenv(endVariable) == closesConn {
		err = errors.Join(err, await())
	}
	return err
}

// inherit uses what bequeath has sent.
func inherit(t *testing.T, rights afunix.Rights, far net.Conn, addresses string) {
	tcp, udp, _ := strings.Cut(addresses, " ")
	for i, want := range []string{"world", pipeText} {
		f, err := rights.File(i)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if text, err := io.ReadAll(f); string(text) != want || err != nil {
			t.Errorf("read %q, %v; want %q", text, err, want)
		}
	}

	c, err := rights.Conn(2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	beside(t, func() error { return echo(c, 1) })
	expectAnswer(t, far)

	l, err := rights.Listener(3)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	beside(t, func() error { return serveOne(l) })
	client, err := net.Dial("tcp", tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	expectAnswer(t, client)

	u, err := rights.PacketConn(4)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	beside(t, func() error {
		buf := make([]byte, 100)
		n, from, err := u.ReadFrom(buf)
		if err == nil {
			_, err = u.WriteTo(buf[:n], from)
		}
		return err
	})
	client, err = net.Dial("udp", udp)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	expectAnswer(t, client)
}

// beside runs f beside the test, which ends only after it. What f waits for, the test sends, or
// closes when it ends.
func beside(t *testing.T, f func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	t.Cleanup(func() {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("what was received still waits")
		}
	})
}

// The system says who is at the other end, to both sides.
func TestExchangePeerCredentialsAreThoseOfTheOtherProcess(t *testing.T) {
	eachSide(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "tell who is there")
		peer, err := p.c.PeerCredentials()
		if err != nil || peer.PID != p.cmd.Process.Pid || !peer.SameUser() {
			t.Errorf("PeerCredentials = %+v, %v; want process %d of the same user", peer, err, p.cmd.Process.Pid)
		}
		p.expect(t, fmt.Sprintf("process %d, same user: true", os.Getpid()))
		p.finish(t)
	})
}

func tellWhoIsThere(k *talk) error {
	peer, err := k.c.PeerCredentials()
	return errors.Join(err, k.say(fmt.Sprintf("process %d, same user: %v", peer.PID, peer.SameUser())), k.wait("bye"))
}
