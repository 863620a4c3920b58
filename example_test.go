package afunix_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"afunix"
)

// A server hands an open file to each client that connects. The two sides would be two programs.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	address := filepath.Join(dir, "socket")

	l, err := afunix.Listen("unix", address)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go serve(l, filepath.Join(dir, "greeting.txt"))

	conn, err := afunix.Dial("unix", address)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	msg, err := conn.ReadMsg(make([]byte, 100))
	if err != nil {
		log.Fatal(err)
	}
	defer msg.Rights.Close()
	fmt.Printf("%s: %d descriptor, a %v\n", msg.Data, msg.Rights.Len(), msg.Rights.Kind(0))

	file, err := msg.Rights.File(0)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
	// Output:
	// here it is: 1 descriptor, a file
	// world
}

func serve(l *afunix.Listener, path string) {
	conn, err := l.AcceptConn()
	if err != nil {
		return
	}
	defer conn.Close()
	if err := os.WriteFile(path, []byte("hello world"), 0o600); err != nil {
		log.Print(err)
		return
	}
	file, err := os.Open(path)
	if err != nil {
		log.Print(err)
		return
	}
	defer file.Close()
	file.Seek(6, io.SeekStart) // the receiver reads on from here
	if _, err := conn.WriteMsg([]byte("here it is"), file); err != nil {
		log.Print(err)
	}
}

// A server that is started twice, or again after it was killed.
func ExampleListenConfig_replaceStale() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	address := filepath.Join(dir, "socket")
	killed, err := afunix.Listen("unix", address)
	if err != nil {
		log.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	killed.Close() // its file stays

	lc := afunix.ListenConfig{ReplaceStale: true}
	l, err := lc.Listen(context.Background(), "unix", address)
	fmt.Println("the first one:", err)
	_, err = lc.Listen(context.Background(), "unix", address)
	fmt.Println("the second one finds the address in use:", errors.Is(err, syscall.EADDRINUSE))
	l.Close()
	// Output:
	// the first one: <nil>
	// the second one finds the address in use: true
}

// A message of two parts is one record.
func ExampleConn_WriteBuffers() {
	a, b, err := afunix.Pair("unixgram")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.WriteBuffers(net.Buffers{[]byte("header: "), []byte("body")}); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := b.Read(buf)
	fmt.Println(string(buf[:n]), err)
	// Output: header: body <nil>
}

// A program whose standard input is a connection, as inetd and systemd (StandardInput=socket)
// start it, gets a connection with everything.
func ExampleFileConn() {
	conn, err := afunix.FileConn(os.Stdin)
	if err != nil {
		log.Fatal(err) // standard input is something else
	}
	defer conn.Close()
	peer, err := conn.PeerCredentials()
	if err != nil || !peer.SameUser() {
		log.Fatal("who is this?")
	}
	fmt.Fprintln(conn, "welcome")
}

func ExamplePair() {
	a, b, err := afunix.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if _, err := a.WriteMsg([]byte("write here"), w); err != nil {
		log.Fatal(err)
	}
	w.Close() // the message has a copy

	msg, err := b.ReadMsg(make([]byte, 100))
	if err != nil {
		log.Fatal(err)
	}
	f, err := msg.Rights.File(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(f, "through the pipe")
	f.Close()

	text, err := io.ReadAll(r)
	fmt.Println(string(text), err)
	// Output: through the pipe <nil>
}
