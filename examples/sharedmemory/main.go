// Sharedmemory lets two processes count in the same memory. The parent makes the memory, and a pair
// of connected sockets of which the child inherits one end; what the child needs to know, and the
// memory itself, comes over that.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"sync/atomic"
	"unsafe"

	"afunix"
)

// rounds is how often each of the two counts.
const rounds = 100_000

// size is how much memory they share.
const size = 4096

// endName is what the child knows its end of the pair by.
const endName = "parent"

func main() {
	if err := run(exec.Command, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run is the parent, unless the process has inherited an end.
func run(command func(name string, args ...string) *exec.Cmd, stdout io.Writer) error {
	if conn, err := afunix.Inherited(endName); err == nil {
		defer conn.Close()
		return child(conn)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return parent(command(self), stdout)
}

func parent(cmd *exec.Cmd, stdout io.Writer) error {
	ours, theirs, err := afunix.Pair("unix")
	if err != nil {
		return err
	}
	defer ours.Close()
	if err := theirs.AttachTo(cmd, endName); err != nil {
		theirs.Close()
		return err
	}
	cmd.Stderr = os.Stderr
	err = cmd.Start()
	theirs.Close() // the child has it now, or nobody
	if err != nil {
		return err
	}
	total, err := share(ours)
	if waitErr := cmd.Wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "two processes have counted to %d\n", total)
	return err
}

// share makes the memory, sends it to the child, and counts together with it.
func share(conn *afunix.Conn) (total int64, err error) {
	m, err := createMemory(size)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if _, err := conn.WriteMsg([]byte("count in this"), m.file); err != nil {
		return 0, err
	}
	count(m)
	// The child says when it has finished; that also orders its writes before our read.
	if _, err := conn.ReadMsg(make([]byte, 10)); err != nil {
		return 0, err
	}
	return atomic.LoadInt64(m.counter()), nil
}

func child(conn *afunix.Conn) error {
	msg, err := conn.ReadMsg(make([]byte, 100))
	if err != nil {
		return err
	}
	defer msg.Rights.Close()
	m, err := openMemory(msg.Rights, 0, size)
	if err != nil {
		return err
	}
	defer m.Close()
	count(m)
	_, err = conn.Write([]byte("done"))
	return err
}

func count(m *memory) {
	for range rounds {
		atomic.AddInt64(m.counter(), 1)
	}
}

// counter is the first word of the memory, which is aligned to a page.
func (m *memory) counter() *int64 { return (*int64)(unsafe.Pointer(&m.bytes[0])) }
