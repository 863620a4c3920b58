// Foreign exchanges descriptors with programs in other languages, by the kernel's own SCM_RIGHTS:
// over the kernel transport there is nothing of ours on the wire.
//
//	foreign s.sock greeting.txt                                      # the Go side, for one peer
//	cc -o peer c/peer.c && ./peer s.sock /etc/hostname               # the C side, in another terminal
//	python3 python/peer.py s.sock /etc/hostname                      # or the Python side
//
// Each side sends an open file, and prints the one that it gets.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"afunix"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: foreign SOCKET FILE")
	}
	lc := afunix.ListenConfig{Transport: afunix.KernelTransport} // the default, on Unix
	l, err := lc.Listen(context.Background(), "unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := exchange(l, os.Args[2], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// exchange receives one file and sends another.
func exchange(l *afunix.Listener, path string, stdout io.Writer) error {
	conn, err := l.AcceptConn()
	if err != nil {
		return err
	}
	defer conn.Close()
	msg, err := conn.ReadMsg(make([]byte, 100))
	if err != nil {
		return err
	}
	defer msg.Rights.Close()
	theirs, err := msg.Rights.File(0)
	if err != nil {
		return err
	}
	defer theirs.Close()
	text, err := io.ReadAll(theirs)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "%s: %s", msg.Data, text); err != nil {
		return err
	}
	ours, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ours.Close()
	_, err = conn.WriteMsg([]byte("from Go"), ours)
	return err
}
