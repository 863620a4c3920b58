package upgrade_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"afunix"
	"afunix/upgrade"
)

// A serviceManager is the receiving end of sd_notify(3).
type serviceManager struct{ conn *afunix.Conn }

func newServiceManager(t *testing.T, address string) serviceManager {
	t.Helper()
	conn, err := afunix.ListenPacket("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		os.Remove(address)
	})
	conn.SetDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", address)
	return serviceManager{conn}
}

func (m serviceManager) expect(t *testing.T, want string) {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := m.conn.Read(buf)
	if string(buf[:n]) != want || err != nil {
		t.Fatalf("the manager is told %q, %v; want %q", buf[:n], err, want)
	}
}

// The first process tells the manager that it is ready. That another one serves, the manager is told by the one that it knows, and only when
// it does.
func TestServiceManagerIsToldWhoServes(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	main := fmt.Sprint("MAINPID=", os.Getpid())
	serving(t, cfg, "first")
	manager.expect(t, "READY=1\n"+main)
	second, _ := preparing(t, cfg, "second")
	second.Close()
	failed.expect(t) // of which the manager hears nothing
	serving(t, cfg, "third")
	manager.expect(t, main+"\nREADY=1")
	manager.expect(t, "READY=1\n"+main)
}

func TestServiceManagerWithAnAbstractName(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("no abstract names on this system")
	}
	cfg := upgrade.Config{Address: address(t)}
	manager := newServiceManager(t, fmt.Sprintf("@afunix-upgrade-test-%d", os.Getpid()))
	serving(t, cfg, "first")
	manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))
}

func TestServiceManagerThatIsGone(t *testing.T) {
	cfg, failed := withFailures(t)
	first, addr := serving(t, cfg, "first")
	t.Setenv("NOTIFY_SOCKET", cfg.Address+".nowhere")
	second, _ := preparing(t, cfg, "second")
	if err := second.Ready(within(t)); err == nil {
		t.Error("it serves, and its manager does not know")
	}
	os.Unsetenv("NOTIFY_SOCKET")
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")
	serving(t, cfg, "third")
	expectDone(t, first)
}
