package upgrade

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Here a successor speaks the protocol by hand, to do what it should not.

const patience = 20 * time.Second

type rig struct {
	u      *Upgrader
	l      *Listener
	failed chan error
	cfg    Config
}

func newRig(t *testing.T, transport afunix.Transport, changes ...func(*Config)) *rig {
	t.Helper()
	r := &rig{failed: make(chan error, 10)}
	r.cfg = newRigConfig(t, transport, r.failed)
	for _, change := range changes {
		change(&r.cfg)
	}
	var err error
	if r.u, err = New(t.Context(), r.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.u.Close() })
	if r.l, err = r.u.Listen(t.Context(), "web", "unix", r.cfg.Address+".web"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.l.Close() })
	if err := r.u.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func newRigConfig(t *testing.T, transport afunix.Transport, failed chan<- error) Config {
	return Config{
		Address:   filepath.Join(testenv.TempDir(t), "upgrade.sock"),
		Transport: transport,
		Failed:    func(err error) { failed <- err },
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			lc := afunix.ListenConfig{Transport: transport}
			return lc.Listen(ctx, network, address)
		},
	}
}

// call returns a channel to the process that serves.
func (r *rig) call(t *testing.T) *channel {
	t.Helper()
	d := afunix.Dialer{Transport: r.cfg.Transport}
	c, err := d.DialContext(t.Context(), "unix", r.cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &channel{conn: c}
}

func (r *rig) expectFailure(t *testing.T, text string) {
	t.Helper()
	select {
	case err := <-r.failed:
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the upgrade has failed: %v; want %q", err, text)
		}
	case <-time.After(patience):
		t.Fatal("no upgrade has failed")
	}
}

// expectService expects that the listener accepts, and that a successor can take over.
func (r *rig) expectService(t *testing.T) {
	t.Helper()
	d := afunix.Dialer{Transport: r.cfg.Transport, Timeout: patience}
	c, err := d.DialContext(t.Context(), "unix", r.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted := make(chan error, 1)
	go func() {
		s, err := r.l.Accept()
		if err == nil {
			s.Close()
		}
		accepted <- err
	}()
	select {
	case err := <-accepted:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("nobody accepts")
	}
	next, err := New(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	l, err := next.Listen(t.Context(), "web", "unix", r.cfg.Address+".web")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := next.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.u.Done()
}

// say sends messages of the types, and receives one of each of the others.
func say(t *testing.T, c *channel, script ...any) {
	t.Helper()
	for _, step := range script {
		switch step := step.(type) {
		case message:
			if err := c.send(step); err != nil {
				t.Fatal(err)
			}
		case string:
			m, rights, err := c.receive()
			rights.Close()
			if err != nil || m.Type != step {
				t.Fatalf("received %q, %v; want %q", m.Type, err, step)
			}
		}
	}
}

var hello = message{Type: typeHello, Version: protocolVersion}

// eachTransport runs f over every transport that sockets can be handed over.
func eachTransport(t *testing.T, f func(t *testing.T, transport afunix.Transport)) {
	for _, transport := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		t.Run(transport.String(), func(t *testing.T) {
			if transport == afunix.PipeTransport {
				testenv.NeedPipeRights(t)
			}
			a, b, err := transport.Pair("unix")
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			}
			if err != nil {
				t.Fatal(err)
			}
			a.Close()
			b.Close()
			f(t, transport)
		})
	}
}

// A successor that dies when it has been told to serve, and before it says that it does, takes
// nothing along: not even a listener that had moved to it, nor the address where the next one
// calls.
func TestSuccessorThatDiesAfterCommit(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		c := r.call(t)
		say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady, Keys: []key{r.l.key}})
		if transport == afunix.PipeTransport {
			say(t, c, typeMoved)
		}
		say(t, c, typeCommit)
		fresh, err := bindControl(t.Context(), &r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := fresh.publish(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := fresh.leave(); err != nil {
			t.Fatal(err)
		}
		c.conn.Close()
		r.expectFailure(t, "has left")
		r.expectService(t)
	})
}

// A successor that cannot serve after all, when it has been told to, gives back what it has.
func TestSuccessorThatFailsAfterCommit(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		next, err := New(t.Context(), r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		l, err := next.Listen(t.Context(), "web", "unix", r.cfg.Address+".web")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		control, err := bindControl(t.Context(), &r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(control.path); err != nil { // so it cannot be published
			t.Fatal(err)
		}
		if err := next.takeOver(t.Context(), next.sockets, control); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("it takes over: %v", err)
		}
		if err := next.withdraw(next.sockets, control); err != nil {
			t.Error(err)
		}
		r.expectFailure(t, "has left")
		r.expectService(t)
	})
}

func TestSuccessorThatSaysNonsense(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		for _, test := range []struct {
			name, says string
			script     []any
			raw        string
		}{
			{name: "another version", script: []any{message{Type: typeHello, Version: 99}}, says: "version 99"},
			{name: "another message", script: []any{message{Type: typeReady}}, says: "unexpected"},
			{name: "the wrong order", script: []any{hello, typeOffer, typeOffered, message{Type: typeTaken}}, says: "unexpected"},
			{name: "not JSON", raw: "\x00\x00\x00\x02{{", says: "invalid character"},
			{name: "4 GiB", raw: "\xff\xff\xff\xff", says: "4294967295 bytes"},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := r.call(t)
				say(t, c, test.script...)
				if _, err := c.conn.Write([]byte(test.raw)); err != nil {
					t.Fatal(err)
				}
				if _, _, err := c.receive(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("it is told: %v; want %q", err, test.says)
				}
				c.conn.Close()
				r.expectFailure(t, test.says)
			})
		}
		r.expectService(t)
	})
}

// A connection whose arrival the successor cannot confirm in time stays here.
func TestConnThatNobodyConfirms(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		c := r.call(t)
		say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady}, typeCommit,
			message{Type: typeTaken}, typeYielded)
		<-r.u.Done()
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		client, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := tcp.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := r.u.SendConn(ctx, server, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SendConn: %v", err)
		}
		if err := c.send(message{Type: typeGot}); err == nil {
			t.Error("the successor could say that it has it, too late")
		}
		if _, err := server.Write([]byte("still here")); err != nil {
			t.Error(err)
		}
	})
}
