package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// receiver is a service manager, or a log, that wants to know who sends.
func receiver(t *testing.T, variable string) *afunix.Conn {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "s")
	c, err := afunix.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		os.Remove(path)
	})
	if err := c.SetPassCredentials(true); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(variable, path)
	return c
}

func receive(t *testing.T, c *afunix.Conn) string {
	t.Helper()
	m, err := c.ReadMsg(make([]byte, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if m.Credentials == nil || m.Credentials.PID != os.Getpid() {
		t.Errorf("it is from %+v", m.Credentials)
	}
	return string(m.Data)
}

func TestReady(t *testing.T) {
	manager := receiver(t, "NOTIFY_SOCKET")
	if err := run([]string{"ready"}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, manager); got != "READY=1\nSTATUS=serving" {
		t.Errorf("the manager is told %q", got)
	}
}

func TestReadyWithoutAManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := run([]string{"ready"}); err != nil {
		t.Error(err)
	}
}

func TestLog(t *testing.T) {
	syslog := receiver(t, "SYSLOG_SOCKET")
	if err := run([]string{"log", "disk full"}); err != nil {
		t.Fatal(err)
	}
	got := receive(t, syslog)
	if !strings.HasPrefix(got, "<13>") || !strings.HasSuffix(got, fmt.Sprintf("[%d]: disk full", os.Getpid())) {
		t.Errorf("the log says %q", got)
	}
}
