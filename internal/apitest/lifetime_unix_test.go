//go:build unix

package apitest

import (
	"io"
	"os"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

func init() { children["send and die"] = sendAndDie }

// Row 51.
func TestDescriptorsSurviveTheirSender(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.KernelTransport {
			t.Skip("the pipe transport has tests of its own for this")
		}
		path := socketPath(t)
		l := listen(t, tr, network, path)
		file := testenv.TempFile(t, "inherited")
		if out, err := child(t, "send and die", network, path, file.Name()).CombinedOutput(); err == nil {
			t.Fatalf("the child lives: %s", out)
		}
		c, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		m := mustReadMsg(t, c, "legacy", 1)
		f, err := m.Rights.File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if text, err := io.ReadAll(f); string(text) != "inherited" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}

func sendAndDie(args []string) error {
	c, err := afunix.Dial(args[0], args[1])
	if err != nil {
		return nil // the parent expects a failure
	}
	f, err := os.Open(args[2])
	if err != nil {
		return nil
	}
	if _, err := c.WriteMsg([]byte("legacy"), f); err != nil {
		return nil
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
