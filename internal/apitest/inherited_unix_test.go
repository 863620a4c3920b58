//go:build unix

package apitest

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"afunix"
)

func init() { children["inherits files"] = inheritsFiles }

// inheritsFiles has a connection as standard input, and a listener as descriptor 3. It sends what
// its client says, and a file, over the connection.
func inheritsFiles([]string) error {
	c, err := afunix.FileConn(os.Stdin)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := afunix.FileListener(os.NewFile(3, "inherited"))
	if err != nil {
		return err
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(patience))
	client, err := l.AcceptConn()
	if err != nil {
		return err
	}
	defer client.Close()
	said, err := io.ReadAll(client)
	if err != nil {
		return err
	}
	who, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	_, err = c.WriteMsg(fmt.Appendf(nil, "%s to %d", said, who.PID), os.Stderr)
	return err
}

// A process makes connections and listeners of what it has inherited from a program that knows
// files alone.
func TestInheritedFiles(t *testing.T) {
	a, b := pair(t, afunix.KernelTransport, "unix")
	path := socketPath(t)
	l := listen(t, afunix.KernelTransport, "unix", path)
	af, err := a.File()
	if err != nil {
		t.Fatal(err)
	}
	lf, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "inherits files")
	cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = af, os.Stderr, []*os.File{lf}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	af.Close()
	lf.Close()
	a.Close()
	l.SetUnlinkOnClose(false)
	l.Close()
	client, err := (&afunix.Dialer{Transport: afunix.KernelTransport}).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	mustReadMsg(t, b, fmt.Sprintf("hello to %d", os.Getpid()), 1)
	os.Remove(path)
}
