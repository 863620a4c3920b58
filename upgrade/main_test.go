package upgrade_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"afunix/internal/testchild"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

// children are the main functions of further processes: the test binary starts itself.
var children = map[string]func(args []string) error{}

func TestMain(m *testing.M) { testchild.Main(m, children) }

// child prepares a process that runs one of the children.
func child(name string, args ...string) *exec.Cmd {
	cmd := testchild.Command(context.Background(), name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// patience bounds every wait that should not last.
const patience = 20 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// address returns where the processes of a test meet.
func address(t *testing.T) string { return filepath.Join(testenv.TempDir(t), "upgrade.sock") }

func start(t *testing.T, cfg upgrade.Config) *upgrade.Upgrader {
	t.Helper()
	u, err := upgrade.New(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func listen(t *testing.T, u *upgrade.Upgrader, name, network, address string) *upgrade.Listener {
	t.Helper()
	l, err := u.Listen(within(t), name, network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func ready(t *testing.T, u *upgrade.Upgrader) {
	t.Helper()
	if err := u.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
}

func expectDone(t *testing.T, u *upgrade.Upgrader) {
	t.Helper()
	select {
	case <-u.Done():
	case <-time.After(patience):
		t.Fatal("nobody has taken over")
	}
}

// greet accepts connections and says the word on each, until the listener is closed.
func greet(t *testing.T, l net.Listener, word string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, word)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
}

// greeting is what a server at the address says.
func greeting(t *testing.T, network, address string) string {
	t.Helper()
	c, err := dial(t, network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
