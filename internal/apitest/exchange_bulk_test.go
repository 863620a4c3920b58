package apitest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
)

func init() {
	parts["describe a message"] = describeMessage
	parts["return"] = returnEverything
	parts["flood"] = flood
	parts["fill"] = fill
}

// besideRights is the payload that goes into one packet with a full set of descriptors (S2).
const besideRights = 32_000

// S2, S3: a full set of the descriptors whose records are longest, which on Windows are sockets,
// beside 32,000 bytes.
func TestExchangeOfAFullMessage(t *testing.T) {
	eachSide(t, all, func(t *testing.T, a meeting) {
		files := make([]afunix.Sendable, afunix.MaxRights+1)
		addresses := make([]string, len(files))
		for i := range files {
			c := listenUDP(t)
			files[i], addresses[i] = c, c.LocalAddr().String()
		}
		p := meet(t, a, "describe a message")
		data := noise("full", besideRights)
		if n, err := p.c.WriteMsgTo(data, p.to, files...); n != 0 || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d descriptors: %d, %v; want EINVAL", len(files), n, err)
		}
		// That nothing of that message was sent shows in what the receiver gets first.
		if n, err := p.c.WriteMsgTo(data, p.to, files[:afunix.MaxRights]...); n != len(data) || err != nil {
			t.Fatalf("WriteMsg = %d, %v", n, err)
		}
		p.expect(t, description(data, addresses[:afunix.MaxRights]))
		p.finish(t)
	})
}

// describeMessage receives one message as a whole, and says what it is.
func describeMessage(k *talk) error {
	m, err := k.c.ReadMsg(make([]byte, 2*besideRights))
	if err != nil {
		return err
	}
	defer m.Rights.Close()
	var addresses []string
	for i := range m.Rights.Len() {
		c, err := m.Rights.PacketConn(i)
		if err != nil {
			return err
		}
		defer c.Close()
		addresses = append(addresses, c.LocalAddr().String())
	}
	return errors.Join(k.say(description(m.Data, addresses)), k.wait("bye"))
}

func description(data []byte, addresses []string) string {
	return fmt.Sprintf("%d bytes %x, datagram sockets %s", len(data), sha256.Sum256(data), strings.Join(addresses, " "))
}

// noise returns n bytes that both sides can make.
func noise(name string, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(data)
	return data
}

// A round is a number of messages of some descriptors that go to the other process and come back.
type round struct{ descriptors, messages int }

func roundTrips(messages [3]int) []round {
	return []round{{1, messages[0]}, {17, messages[1]}, {afunix.MaxRights, messages[2]}}
}

// 10,000 sends and as many receives, half of them in each process; 500 on Windows, because of what
// a call costs on Wine. Most are small, or most descriptors would be in the large ones.
func rounds() []round {
	if runtime.GOOS == "windows" {
		return roundTrips([3]int{200, 40, 10})
	}
	return roundTrips([3]int{4_600, 360, 40})
}

func TestExchangeLeavesNothingOpen(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a := newMeeting(t, tr, network, listening)
		p := meet(t, a, "return")
		files := mixedFiles(t)
		passAround(t, p, files, roundTrips([3]int{2, 2, 2})) // opens whatever is opened once and kept
		p.asks(t, "count", "counted")
		before, err := countResources()
		if err != nil {
			t.Fatal(err)
		}
		passAround(t, p, files, rounds())
		if err := before.settle(); err != nil {
			t.Errorf("here: %v", err)
		}
		p.asks(t, "compare", "as before")
		p.finish(t)
	})
}

// mixedFiles returns a full set of descriptors of the kinds that travel differently: files and
// pipes, and sockets.
func mixedFiles(t *testing.T) []afunix.Sendable {
	t.Helper()
	r, w := makePipe(t)
	u := listenUDP(t)
	return slices.Repeat([]afunix.Sendable{r, u, createTemp(t), w}, afunix.MaxRights/4+1)[:afunix.MaxRights]
}

// passAround sends messages and receives back what comes of each.
func passAround(t *testing.T, p *peer, files []afunix.Sendable, rounds []round) {
	t.Helper()
	for _, r := range rounds {
		for i := range r.messages {
			if err := p.c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			p.limit.Reset(3 * patience)
			first := i % (len(files) - r.descriptors + 1)
			p.says(t, "return", files[first:first+r.descriptors]...)
			line, rights, err := p.hear()
			if err != nil || line != "returned" || rights.Len() != r.descriptors {
				t.Fatalf("message %d with %d descriptors comes back as %q with %d, %v", i,
					r.descriptors, line, rights.Len(), err)
			}
			if err := rights.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// returnEverything sends back what it receives: so each descriptor is received, sent and received
// again.
func returnEverything(k *talk) error {
	var before resources
	for {
		if err := k.c.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		line, rights, err := k.hear()
		if err != nil {
			return err
		}
		switch line {
		case "return":
			err = giveBack(k, rights)
		case "count":
			if before, err = countResources(); err == nil {
				err = k.say("counted")
			}
		case "compare":
			if err = before.settle(); err == nil {
				err = k.say("as before")
			}
		case "bye":
			return nil
		}
		if err != nil {
			return errors.Join(err, k.say(failure+err.Error()))
		}
	}
}

// giveBack sends back what has been received, and closes it.
func giveBack(k *talk, rights afunix.Rights) error {
	defer rights.Close()
	files := make([]afunix.Sendable, rights.Len())
	for i := range files {
		c, err := takeAny(rights, i)
		if err != nil {
			return err
		}
		defer c.Close()
		files[i] = c.(afunix.Sendable)
	}
	return k.say("returned", files...)
}

// takeAny takes a descriptor as what it is.
func takeAny(rights afunix.Rights, i int) (io.Closer, error) {
	if rights.Kind(i) == afunix.KindDatagram {
		return rights.PacketConn(i)
	}
	return rights.File(i)
}

// floodSize is more than any buffer between the two holds.
const floodSize = 1 << 20

// P5: both sides send much more than there is room for, with descriptors, and read only when both
// are stuck.
func TestExchangeOfFloodsInBothDirections(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a := newMeeting(t, tr, network, listening)
		p := meet(t, a, "flood")
		if err := floodBoth(p.talk, "parent", "child", p.goOn(t)); err != nil {
			t.Fatal(err)
		}
		p.expectExit(t)
	})
}

func flood(k *talk) error { return floodBoth(k, "child", "parent", signalAndAwait) }

// floodBoth sends a flood and receives another.
func floodBoth(k *talk, mine, theirs string, bothAreStuck func() error) error {
	files, closeFiles, err := nullFiles(afunix.MaxRights)
	if err != nil {
		return err
	}
	defer closeFiles()
	sent := make(chan error, 1)
	go func() {
		n, err := k.c.WriteMsg(noise(mine, floodSize), files...)
		if err == nil && n != floodSize {
			err = io.ErrShortWrite
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		return fmt.Errorf("nobody has read, and the flood is gone: %w", err)
	case <-time.After(5 * aMoment):
	}
	if err := bothAreStuck(); err != nil {
		return err
	}
	if err := drain(k, noise(theirs, floodSize), []int{afunix.MaxRights}); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	select {
	case err := <-sent:
		return err
	case <-time.After(patience):
		return errors.New("everything has been received, and the sender still waits")
	}
}

// P5: what fits goes, although nobody reads on either side: descriptors wait for the other process,
// not for its reader.
func TestExchangeOfRightsThatNobodyReadsYet(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a := newMeeting(t, tr, network, listening)
		p := meet(t, a, "fill")
		if err := fillBoth(p.talk, "parent", "child", p.goOn(t)); err != nil {
			t.Fatal(err)
		}
		p.expectExit(t)
	})
}

func fill(k *talk) error { return fillBoth(k, "child", "parent", signalAndAwait) }

// fillBoth sends two full messages, and receives two once both sides have sent theirs.
func fillBoth(k *talk, mine, theirs string, bothHaveSent func() error) error {
	files, closeFiles, err := nullFiles(afunix.MaxRights)
	if err != nil {
		return err
	}
	defer closeFiles()
	for data := range slices.Chunk(noise(mine, 2*besideRights), besideRights) {
		if n, err := k.c.WriteMsg(data, files...); n != len(data) || err != nil {
			return fmt.Errorf("WriteMsg = %d, %w", n, err)
		}
	}
	if err := bothHaveSent(); err != nil {
		return err
	}
	return drain(k, noise(theirs, 2*besideRights), []int{afunix.MaxRights, afunix.MaxRights})
}

// goOn and signalAndAwait are the two sides of a meeting point, which is not on the connection.
func (p *peer) goOn(t *testing.T) func() error {
	return func() error {
		p.awaitLine(t, "here I am")
		return p.in.Close()
	}
}

func signalAndAwait() error { return errors.Join(tell("here I am"), await()) }

// drain receives exactly the bytes of want, with descriptors that come in messages of the numbers
// that rights lists, the first with the first byte. It closes them.
func drain(k *talk, want []byte, rights []int) error {
	got := make([]byte, 0, len(want))
	var came []int
	for len(got) < len(want) {
		m, err := k.c.ReadMsg(got[len(got):cap(got)])
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", len(got), err)
		}
		if n := m.Rights.Len(); n > 0 {
			came = append(came, n)
		}
		if err := m.Rights.Close(); err != nil {
			return err
		}
		got = got[:len(got)+len(m.Data)]
		if len(came) == 0 {
			return fmt.Errorf("the first %d bytes come without descriptors", len(m.Data))
		}
	}
	if !bytes.Equal(got, want) || !slices.Equal(came, rights) {
		return fmt.Errorf("descriptors %v; want %v; the bytes are right: %v", came, rights, bytes.Equal(got, want))
	}
	return nil
}

// nullFiles returns n Sendables, and what closes them.
func nullFiles(n int) ([]afunix.Sendable, func() error, error) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	return slices.Repeat([]afunix.Sendable{f}, n), f.Close, nil
}
