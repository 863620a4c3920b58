package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"afunix"
)

// relayCommand is "afunix", if the rows are to be held by connections that go through its relay:
//
//	go build -C cmd/afunix -o /tmp/afunix && AFUNIX_RELAY=/tmp/afunix go test ./internal/conformance
var relayCommand = os.Getenv("AFUNIX_RELAY")

// notThroughARelay are the rows that no relay can hold, with the reason for each: whole tests, or
// those of one transport and type.
var notThroughARelay = map[string]string{
	"TestRow024/pipe/unixpacket": noQuestion,
	"TestRow022":                 notAllowed,
	"TestRow057/pipe/unix":       movedByThen,
	"TestRow057/pipe/unixpacket": movedByThen,
	"TestRow065":                 notAllowed,
	"TestRow066":                 ownCredentials,
	"TestRow071":                 ownCredentials,
	"TestRow072":                 ownCredentials,
	"TestRow073":                 ownCredentials,
	"TestRow077":                 ownNames,
	"TestRow082":                 ownNames,
	"TestRow092":                 ownNames,
	"TestRow102":                 ownBacklog,
	"TestRow152":                 "nothing tells a relay, before it writes, that the peer has shut down reading",
	"TestRow154":                 noReset,
	"TestRow157/pipe/unixpacket": noQuestion,
	"TestRow187":                 ownNames,
	"TestRow188":                 "a command cannot be given a name with a NUL in it",
	"TestRow189":                 ownBacklog,
	"TestRow199":                 noReset,
}

const (
	movedByThen    = "the relay connects a little later than its client, when the listener may be moving"
	notAllowed     = "the relay may not speak for another process"
	ownCredentials = "what the other side sees are the credentials of the relay"
	ownBacklog     = "a relay has a backlog of its own, and takes clients out of it at once"
	noQuestion     = "over pipes, what would ask whether a peer is there would be a record"
	noReset        = "nobody can make a socket tell its peer ECONNRESET"
	ownNames       = "what each side sees are the names of the relay's sockets"
)

// front returns the address at which clients reach what listens at addr: that of a relay, if there
// is to be one.
func (e *env) front(addr string) string {
	e.Helper()
	if !e.bound[addr] || relayCommand == "" || e.datagram() {
		return addr
	}
	if f, ok := e.fronts[addr]; ok {
		return f
	}
	f := e.path()
	e.startRelay(f, addr)
	e.fronts[addr] = f
	return f
}

// startRelay starts a relay, which ends with the test, and waits until it listens.
func (e *env) startRelay(listen, target string) {
	e.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, relayCommand, "proxy", "-v", "--transport", e.transport.String(),
		e.network+":"+listen, e.network+":"+target)
	said, err := cmd.StderrPipe()
	e.check(err)
	e.check(cmd.Start())
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "listening") {
		e.Errorf("the relay says %q", lines.Text())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			e.Log(lines.Text())
		}
		if err := lines.Err(); err != nil && ctx.Err() == nil {
			e.Errorf("what the relay says: %v", err)
		}
	}()
	e.Cleanup(func() {
		cancel()
		<-ended
		_ = cmd.Wait() // it was killed
	})
}

// relayedPair is a pair with a relay in between.
func (e *env) relayedPair() (a, b *afunix.Conn) {
	e.Helper()
	if e.datagram() {
		e.Skip("relay: datagram sockets that are a pair have no address at which a relay could be")
	}
	l := e.listen(e.path())
	defer l.Close()
	a = e.dial(l.Addr().String())
	return a, e.accept(l)
}

// skipForRelay ends the test of a row that no relay can hold.
func skipForRelay(t *testing.T) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	why := notThroughARelay[name] + notThroughARelay[t.Name()]
	if why == notAllowed && strings.Contains(t.Name(), "/kernel/") && maySpeakForOthers() {
		return
	}
	if relayCommand != "" && why != "" {
		t.Skip("relay: " + why)
	}
}

// hangUp closes c. What comes of that a relay tells the peer, which has nothing to read, a little
// later.
func (e *env) hangUp(c, peer *afunix.Conn) {
	e.Helper()
	e.check(c.Close())
	if relayCommand != "" && !e.datagram() {
		if _, err := peer.PeekMsg(make([]byte, 1)); err != io.EOF {
			e.Fatalf("%v; want the end", err)
		}
	}
}

// arrives waits until all of data can be read from c. Only through a relay does that take time.
func (e *env) arrives(c *afunix.Conn, data string) {
	e.Helper()
	if relayCommand == "" || e.datagram() {
		return
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); ; <-again.C {
		m, err := c.PeekMsg(make([]byte, len(data)))
		m.Rights.Close()
		e.check(err)
		if string(m.Data) == data {
			return
		}
		if time.Now().After(deadline) {
			e.Fatalf("%q has come; want %q", m.Data, data)
		}
	}
}

// maySpeakForOthers reports whether a message may have another process's number: CAP_SYS_ADMIN.
func maySpeakForOthers() bool {
	const sysAdmin = 21
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:")
	var effective uint64
	_, err = fmt.Sscanf(rest, "%x", &effective)
	return err == nil && effective&(1<<sysAdmin) != 0
}
