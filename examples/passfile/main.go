// Passfile hands an open file from one process to another:
//
//	passfile receive s.sock            # waits, and prints the file's text and where it was
//	passfile send s.sock notes.txt     # in another terminal
//
// The receiver needs no permission to open the file, and does not learn its name: it has the
// sender's open file, position included.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"afunix"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "receive":
		l, err := afunix.Listen("unix", args[1])
		if err != nil {
			return err
		}
		defer l.Close()
		return receive(l, stdout)
	case len(args) == 3 && args[0] == "send":
		return send(args[1], args[2])
	}
	return errors.New("usage: passfile receive SOCKET | passfile send SOCKET FILE")
}

func send(address, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	conn, err := afunix.Dial("unix", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	// On a stream, descriptors need at least a byte to travel with.
	_, err = conn.WriteMsg([]byte("a file"), file)
	return err
}

func receive(l *afunix.Listener, stdout io.Writer) error {
	conn, err := l.AcceptConn()
	if err != nil {
		return err
	}
	defer conn.Close()
	msg, err := conn.ReadMsg(make([]byte, 100))
	if err != nil {
		return err
	}
	defer msg.Rights.Close() // whatever is not taken
	file, err := msg.Rights.File(0)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %s", msg.Data, text)
	return err
}
