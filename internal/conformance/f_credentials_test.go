package conformance

import (
	"errors"
	"os"
	"regexp"
	"syscall"
	"testing"

	"afunix"
)

// passCredentials sets SO_PASSCRED.
func (e *env) passCredentials(c *afunix.Conn) {
	e.Helper()
	e.check(c.SetPassCredentials(true))
}

// mine expects this process's credentials.
func (e *env) mine(c *afunix.Credentials) {
	e.Helper()
	if c == nil || c.PID != os.Getpid() || !c.SameUser() {
		e.Errorf("credentials %+v; want mine", c)
	}
}

func TestRow065(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.passCredentials(b)
		for range 2 {
			e.send(a, "x")
			e.mine(e.recv(b, 9, "x", 0).Credentials)
		}
		if e.datagram() {
			path := e.path()
			server := e.listenPacket(path)
			e.passCredentials(server)
			e.sendTo(e.listenPacket(e.path()), path, "to")
			e.mine(e.recv(server, 9, "to", 0).Credentials)
		}
	})
}

func TestRow066(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.send(a, "x")
		e.passCredentials(b)
		c := e.recv(b, 9, "x", 0).Credentials
		if c == nil || *c != (afunix.Credentials{UID: 65534, GID: 65534}) {
			e.Errorf("credentials %+v; want nobody's", c)
		}
	})
}

func TestRow068(t *testing.T) { notObservable(t, "no call sends credentials of its own making") }
func TestRow069(t *testing.T) { notObservable(t, "no call sends credentials of its own making") }

// That two processes write to one stream takes a socket that both have: over pipes an end moves, so
// that there is one.
func TestRow071(t *testing.T) {
	each(t, "s", func(e *env) {
		a, b := e.pair()
		e.send(a, "un")
		e.passCredentials(b)
		e.send(a, "1")
		e.send(a, "2")
		if m := e.recv(b, 2, "un", 0); m.Credentials == nil || m.Credentials.PID == os.Getpid() {
			e.Errorf("credentials %+v; want nobody's", m.Credentials)
		}
		e.mine(e.recv(b, 9, "12", 0).Credentials) // the same: merged

		c, d := e.pair()
		e.send(c, "un")
		e.passCredentials(d)
		e.send(c, "own")
		e.recv(d, 9, "un", 0) // another's: not merged
		e.recv(d, 9, "own", 0)
	})
}

func TestRow072(t *testing.T) {
	each(t, "sq", func(e *env) {
		if !e.pipe() && !inheritsAtConnect() {
			e.Skip("this kernel looks at the listener when the connection is accepted")
		}
		for _, on := range []bool{true, false} {
			l := e.listen(e.path())
			e.check(l.SetPassCredentials(on))
			client := e.dial(l.Addr().String())
			e.check(l.SetPassCredentials(!on))
			e.send(client, "x")
			server := e.accept(l)
			if got, err := server.PassCredentials(); got != on || err != nil {
				e.Errorf("PassCredentials = %v, %v; want %v, which the client found", got, err, on)
			}
			if c := e.recv(server, 9, "x", 0).Credentials; on {
				e.mine(c)
			} else if c != nil {
				e.Errorf("credentials %+v that nobody wants", c)
			}
		}
	})
}

func TestRow073(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, _ := e.pair()
		who, err := a.PeerCredentials()
		e.check(err)
		e.mine(&who)
		if e.datagram() {
			path := e.path()
			e.fails(second(e.listenPacket(path).PeerCredentials()), syscall.ENOTCONN)
			if _, err := e.dial(path).PeerCredentials(); !errors.Is(err, errors.ErrUnsupported) {
				e.Errorf("of a connected datagram socket: %v", err)
			}
			return
		}
		client, server := e.connect()
		for _, c := range []*afunix.Conn{client, server} {
			who, err := c.PeerCredentials()
			e.check(err)
			e.mine(&who)
		}
	})
}

var autobound = regexp.MustCompile(`^@[0-9a-f]{5}$`)

// On a stream nobody sees the name.
func TestRow075(t *testing.T) {
	each(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		e.passCredentials(client)
		e.send(client, "x")
		m := e.recv(server, 9, "x", 0)
		if m.From == nil || !autobound.MatchString(m.From.Name) {
			e.Fatalf("from %v; want a name that the system chose", m.From)
		}
	})
}
