package bench

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/testenv"
)

const patience = 20 * time.Second

// A listener of go-winio, as Docker has one, is dialled by afunix: many clients, data both ways,
// and the half-close of its message mode.
func TestDialOfAListenerOfGoWinio(t *testing.T) {
	for name, messages := range map[string]bool{"bytes": false, "messages": true} {
		t.Run(name, func(t *testing.T) {
			address := `\\.\pipe\afunix-test-` + rand.Text()
			l, err := winio.ListenPipe(address, &winio.PipeConfig{MessageMode: messages})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			occupyFirstInstance(t, address)
			go serveUpper(l)
			for range 20 {
				if got := askUpper(t, address, messages); got != "QUESTION" {
					t.Errorf("answer %q", got)
				}
			}
		})
	}
}

// serveUpper answers each client in upper case: word by word, and goodbye when the client has
// ended.
func serveUpper(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 100)
			for {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				for i := range b[:n] {
					b[i] &^= 0x20
				}
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func askUpper(t *testing.T, address string, messages bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := new(afunix.Dialer).DialContext(ctx, "unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Transport() != afunix.PlainTransport {
		t.Errorf("transport %v", c.Transport())
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if !messages {
		answer := make([]byte, len("QUESTION"))
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// occupyFirstInstance takes the instance that go-winio makes to have the name, and at which it
// never accepts. Windows lets no client connect there. Wine does.
func occupyFirstInstance(t *testing.T, address string) {
	if !testenv.OnWine() {
		return
	}
	name, err := windows.UTF16PtrFromString(address)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(h) })
}
