package plain

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
	"afunix/internal/transport"
)

const patience = 20 * time.Second

// A server over libassuan itself, of GnuPG's form and of Cygwin's: scripts/wine-assuan builds it.
func TestDialOfAServerOfLibassuan(t *testing.T) {
	server := os.Getenv("AFUNIX_ASSUAN_SERVER")
	if server == "" {
		t.Skip("no server of libassuan: see scripts/wine-assuan")
	}
	for name, form := range map[string][]string{"GnuPG": nil, "Cygwin": {"cygwin"}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(testenv.TempDir(t), "S.agent")
			said := start(t, exec.CommandContext(t.Context(), server, append([]string{path}, form...)...))
			if r, err := rendezvousAt(path); err != nil || r.Cygwin != (form != nil) {
				t.Fatalf("the server's file says %+v, %v", r, err)
			}
			c := dial(t, path)
			if _, err := c.Write([]byte("echo")); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); err != nil || string(got) != "OK\necho" {
				t.Errorf("read %q, %v", got, err)
			}
			spoil(t, path)
			if err := useless(path); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("with a wrong secret: %v", err)
			}
			if line, err := said.ReadString('\n'); err != nil || line != "refused\r\n" {
				t.Errorf("the server has said %q, %v", line, err)
			}
		})
	}
}

// start starts the server, and waits until that is ready.
func start(t *testing.T, server *exec.Cmd) *bufio.Reader {
	t.Helper()
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); err != nil || line != "ready\r\n" {
		t.Fatalf("the server has said %q, %v", line, err)
	}
	return said
}

func dial(t *testing.T, path string) transport.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Transport{}.Dial(ctx, stream, nil, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// spoil changes the secret in the file.
func spoil(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-2] ^= 1 // in Cygwin's form another digit
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// useless returns the error of a connection with a wrong secret.
func useless(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Transport{}.Dial(ctx, stream, nil, path, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	return err
}
