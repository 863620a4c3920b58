package apitest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

// The tests named TestExchange… are conversations of two processes: this one, and a child that
// plays one of the parts below.

// parts are what a child can play, once it is connected.
var parts = map[string]func(k *talk) error{}

func init() { children["exchange"] = playPart }

// The sides of a connection. A datagram socket that listens is one that is bound, and learns its
// peer from its first message.
const (
	dialling  = "dialling"
	listening = "listening"
)

func otherSide(side string) string {
	if side == dialling {
		return listening
	}
	return dialling
}

// eachSide runs f for every network on every transport that has it, with this process on either
// side.
func eachSide(t *testing.T, networks []string, f func(t *testing.T, a meeting)) {
	eachPassing(t, networks, func(t *testing.T, tr afunix.Transport, network string) {
		for _, side := range []string{dialling, listening} {
			t.Run("from the "+side+" side", func(t *testing.T) {
				f(t, newMeeting(t, tr, network, side))
			})
		}
	})
}

// A meeting says how one side finds the other.
type meeting struct {
	transport     afunix.Transport
	network, side string
	path          string
}

func newMeeting(t *testing.T, tr afunix.Transport, network, side string) meeting {
	return meeting{tr, network, side, filepath.Join(testenv.TempDir(t), "s")}
}

// peers returns the meeting as the other process sees it.
func (a meeting) peers() meeting {
	a.side = otherSide(a.side)
	return a
}

func (a meeting) args() []string {
	return []string{a.transport.String(), a.network, a.side, a.path}
}

func parseMeeting(args []string) (meeting, error) {
	if len(args) != 4 {
		return meeting{}, fmt.Errorf("%q is no meeting", args)
	}
	a := meeting{network: args[1], side: args[2], path: args[3]}
	for _, tr := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		if tr.String() == args[0] {
			a.transport = tr
		}
	}
	return a, nil
}

// connect connects with the other side. The listening side calls ready as soon as it can be
// dialled.
func (a meeting) connect(ready func() error) (*talk, error) {
	k, err := a.open(ready)
	if err != nil {
		return nil, err
	}
	err = k.c.SetDeadline(time.Now().Add(patience))
	if err == nil && a.network == "unixgram" {
		err = k.introduce(a.side)
	}
	if err != nil {
		k.c.Close()
		return nil, err
	}
	return k, nil
}

func (a meeting) open(ready func() error) (*talk, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch {
	case a.side == dialling:
		d := afunix.Dialer{Transport: a.transport}
		if a.network == "unixgram" {
			d.LocalAddr = &net.UnixAddr{Name: a.path + "d", Net: a.network} // or it could not be answered
		}
		c, err := d.DialContext(ctx, a.network, a.path)
		return &talk{c: c}, err
	case a.network == "unixgram":
		c, err := (&afunix.ListenConfig{Transport: a.transport}).ListenPacket(ctx, a.network, a.path)
		if err != nil {
			return nil, err
		}
		return &talk{c: c}, ready()
	}
	l, err := (&afunix.ListenConfig{Transport: a.transport}).Listen(ctx, a.network, a.path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err := errors.Join(l.SetDeadline(time.Now().Add(patience)), ready()); err != nil {
		return nil, err
	}
	c, err := l.AcceptConn()
	return &talk{c: c}, err
}

// A talk is one side of a conversation: the two take turns to say a line of text, with descriptors
// beside some.
type talk struct {
	c  *afunix.Conn
	to *net.UnixAddr // whom to answer, if c is not connected
}

func (k *talk) introduce(side string) error {
	const hello = "hello"
	if side == dialling {
		return k.say(hello)
	}
	m, err := k.c.ReadMsg(make([]byte, 100))
	k.to = m.From
	if err == nil && (string(m.Data) != hello+"\n" || k.to == nil) {
		err = fmt.Errorf("%q from %v instead of a hello", m.Data, m.From)
	}
	return err
}

func (k *talk) say(line string, files ...afunix.Sendable) error {
	data := []byte(line + "\n")
	n, err := k.c.WriteMsgTo(data, k.to, files...)
	if err == nil && n != len(data) {
		err = io.ErrShortWrite
	}
	return err
}

// failure begins the line with which a child reports an error in its turn.
const failure = "failed: "

// hear returns the next line, and the descriptors that came beside its first byte.
func (k *talk) hear() (string, afunix.Rights, error) {
	var line []byte
	var rights afunix.Rights
	for buf := make([]byte, 2*besideRights); ; {
		m, err := k.c.ReadMsg(buf)
		if err == nil && m.Rights.Len() > 0 && len(line) > 0 {
			m.Rights.Close()
			err = errors.New("descriptors in the middle of a line")
		}
		if err != nil {
			rights.Close()
			return "", afunix.Rights{}, err
		}
		if len(line) == 0 {
			rights = m.Rights
		}
		line = append(line, m.Data...)
		if text, whole := strings.CutSuffix(string(line), "\n"); whole {
			if what, failed := strings.CutPrefix(text, failure); failed {
				rights.Close()
				return "", afunix.Rights{}, errors.New(what)
			}
			return text, rights, nil
		}
	}
}

// wait hears a line that is known beforehand, without descriptors.
func (k *talk) wait(want string) error {
	line, rights, err := k.hear()
	if err != nil {
		return err
	}
	if line != want || rights.Len() > 0 {
		rights.Close()
		return fmt.Errorf("heard %q with %d descriptors; want %q", line, rights.Len(), want)
	}
	return nil
}

// playPart is the main function of a child. Whatever its part is, it must not leave anything open.
func playPart(args []string) error {
	a, err := parseMeeting(args[1:])
	if err != nil {
		return err
	}
	x, y, err := a.transport.Pair(a.network) // opens whatever is opened once and kept
	if err != nil {
		return err
	}
	if err := errors.Join(x.Close(), y.Close()); err != nil {
		return err
	}
	before, err := countResources()
	if err != nil {
		return err
	}
	k, err := a.connect(func() error { return tell(listening) })
	if err != nil {
		return err
	}
	err = parts[args[0]](k)
	k.c.Close() // some have done so
	if err != nil {
		return err
	}
	return before.settle()
}

// tell and await are a child's other way to speak with its parent: standard output and input.
func tell(line string) error {
	_, err := fmt.Println(line)
	return err
}

func await() error {
	_, err := os.Stdin.Read(make([]byte, 1))
	if err == io.EOF {
		err = nil
	}
	return err
}

// A peer is a child as its parent sees it.
type peer struct {
	*talk
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *bytes.Buffer
	limit  *time.Timer // kills it; a test that goes on for long sets it again
}

// start starts a child that plays a part. It is killed when the test ends, or has lasted far too
// long: so nothing that waits for it waits for ever.
func start(t *testing.T, name string, args ...string) *peer {
	t.Helper()
	p := &peer{cmd: child(t, name, args...), stderr: new(bytes.Buffer)}
	p.cmd.Stderr = p.stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.limit = time.AfterFunc(3*patience, func() { p.cmd.Process.Kill() })
	t.Cleanup(func() {
		p.limit.Stop()
		p.kill()
		if t.Failed() && p.stderr.Len() > 0 {
			t.Logf("the child says: %s", p.stderr)
		}
	})
	return p
}

// meet starts a child that plays a part, and connects with it.
func meet(t *testing.T, a meeting, part string) *peer {
	t.Helper()
	var p *peer
	invite := func() error {
		p = start(t, "exchange", append([]string{part}, a.peers().args()...)...)
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
	t.Cleanup(func() { k.c.Close() })
	p.talk = k
	return p
}

// awaitLine waits for a line on the child's standard output.
func (p *peer) awaitLine(t *testing.T, want string) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); strings.TrimSpace(line) != want {
		p.kill()
		t.Fatalf("the child prints %q, %v; want %q", line, err, want)
	}
}

// kill ends the child at once, unless it has ended. No trace of the process is left when kill
// returns.
func (p *peer) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// finish ends the conversation, after which the child must end by itself and be content.
func (p *peer) finish(t *testing.T) {
	t.Helper()
	p.says(t, "bye")
	p.expectExit(t)
}

func (p *peer) expectExit(t *testing.T) {
	t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}

func (p *peer) says(t *testing.T, line string, files ...afunix.Sendable) {
	t.Helper()
	if err := p.say(line, files...); err != nil {
		t.Fatalf("say %q: %v", line, err)
	}
}

func (p *peer) expect(t *testing.T, want string) {
	t.Helper()
	if err := p.wait(want); err != nil {
		t.Fatal(err)
	}
}

// asks says a line and expects the answer.
func (p *peer) asks(t *testing.T, line, want string) {
	t.Helper()
	p.says(t, line)
	p.expect(t, want)
}

// resources are how much a process has open.
type resources struct{ descriptors, goroutines int }

func countResources() (resources, error) {
	n, err := leaktest.Descriptors()
	return resources{n, runtime.NumGoroutine()}, err
}

// settle waits until this process has no more open than when r was counted, and handlesOfThreads.
// Copies that are parked, and goroutines, may end a little after the call that used them.
func (r resources) settle() error {
	give := time.After(patience / 4)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := countResources()
		if err != nil || now.descriptors <= r.descriptors+handlesOfThreads && now.goroutines <= r.goroutines {
			return err
		}
		select {
		case <-give:
			stacks := make([]byte, 1<<16)
			return fmt.Errorf("open are %+v; before it were %+v\n%s", now, r, stacks[:runtime.Stack(stacks, true)])
		case <-again.C:
		}
	}
}
