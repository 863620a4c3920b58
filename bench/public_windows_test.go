package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Microsoft/go-winio"

	"afunix"
	"afunix/internal/testenv"
)

// The clients of one listener: programs that nobody here wrote, and one of afunix. The server
// speaks first, says what it takes the client for, and answers a line in upper case.
// scripts/wine-clients has the other programs, and says where they are.
func TestPublicNameIsForEverybody(t *testing.T) {
	address := `\\.\pipe\afunix-test-` + rand.Text()
	l, err := afunix.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // when the clients in parallel are done
	var seen sync.Map               // the process numbers of clients
	go welcome(l, &seen)

	program := func(variable string, arguments ...string) func(t *testing.T, word string) string {
		return func(t *testing.T, word string) string {
			path := os.Getenv(variable)
			if path == "" {
				t.Skip(variable + " is not set: see scripts/wine-clients")
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, path, append(arguments, address, word)...)
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v", err)
			}
			if _, ok := seen.Load(cmd.Process.Pid); !ok {
				t.Errorf("nobody has seen process %d", cmd.Process.Pid)
			}
			return strings.ReplaceAll(string(out), "\r", "")
		}
	}
	script, err := filepath.Abs(filepath.Join("testdata", "publicclient", "client.js"))
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]func(t *testing.T, word string) string{
		"Node":     program("AFUNIX_NODE", script),
		"C":        program("AFUNIX_C_CLIENT"),
		"go-winio": askByGoWinio(address),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 5 {
				word := fmt.Sprint("word", i)
				if got, want := client(t, word), "hello, plain\n"+strings.ToUpper(word)+"\n"; got != want {
					t.Errorf("the client has read %q, want %q", got, want)
				}
			}
		})
	}
	t.Run("afunix", func(t *testing.T) {
		for range 5 {
			passByPublicName(t, address)
		}
	})
}

// welcome serves plain clients and those of afunix, until the listener is closed.
func welcome(l *afunix.Listener, seen *sync.Map) {
	for {
		c, err := l.AcceptConn()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			if peer, err := c.PeerCredentials(); err == nil {
				seen.Store(peer.PID, true)
			}
			fmt.Fprintf(c, "hello, %v\n", c.Transport())
			if c.Transport() == afunix.PipeTransport {
				returnFile(c)
				return
			}
			if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				io.WriteString(c, strings.ToUpper(line)) // and close: the client has to get it all the same
			}
		}()
	}
}

// returnFile writes into the file that comes, and sends it back.
func returnFile(c *afunix.Conn) {
	m, err := c.ReadMsg(make([]byte, 10))
	if err != nil {
		return
	}
	f, err := m.Rights.File(0)
	if err != nil {
		return
	}
	defer f.Close()
	f.WriteString("the server was here")
	c.WriteMsg(m.Data, f)
}

func askByGoWinio(address string) func(t *testing.T, word string) string {
	return func(t *testing.T, word string) string {
		timeout := patience
		c, err := winio.DialPipe(address, &timeout)
		if err != nil {
			t.Fatal(err)
		}
		return converse(t, c, word)
	}
}

// converse reads a line, writes a word, and reads until the end.
func converse(t *testing.T, c net.Conn, word string) string {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, word+"\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return first + string(rest)
}

// passByPublicName passes a file to the server, and takes one back.
func passByPublicName(t *testing.T, address string) {
	t.Helper()
	c, err := afunix.Dial("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil || string(m.Data) != "hello, pipe\n" {
		t.Fatalf("%q, %v", m.Data, err)
	}
	f, err := os.Create(filepath.Join(testenv.TempDir(t), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := c.WriteMsg([]byte("file"), f); err != nil {
		t.Fatal(err)
	}
	if m, err = c.ReadMsg(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	back, err := m.Rights.File(0)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if _, err := back.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(back); err != nil || string(text) != "the server was here" {
		t.Errorf("the file has %q, %v", text, err)
	}
}
