package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A Workload is what one end, the driver, does with the other, the peer.
type Workload struct {
	Name   string // without spaces: benchstat takes it for a key
	Title  string // for people
	Bytes  int    // of payload in one operation, one way; 0 if throughput is of no interest
	Passed int    // descriptors in one operation

	code byte // in a command: which workload it is

	drive func(e End, n int, cargo *Cargo, buf []byte) error // the driver's part in n operations
	serve func(e End, n, passed int, buf []byte) error       // the peer's
}

// Sizes of messages.
const (
	small = 64      // of a round trip, and beside descriptors
	large = 1 << 16 // of a write, and so of every buffer
)

// Workloads are all that there are.
var Workloads = []Workload{
	{Name: "roundtrip64", Title: "64-byte round trip", code: 0, drive: ask, serve: echo},
	{Name: "write64k", Title: "64 KiB writes", Bytes: large, code: 1, drive: pour, serve: drain},
	{Name: "pass1", Title: "1 descriptor", Passed: 1, code: 2, drive: pass, serve: receive},
	{Name: "pass253", Title: "253 descriptors", Passed: 253, code: 3, drive: pass, serve: receive},
}

// FindWorkload returns the workload called name.
func FindWorkload(name string) (Workload, error) {
	for _, w := range Workloads {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("no workload is called %q", name)
}

// commandLen is the length of a command: which workload, and how often.
const commandLen = 8

// NewBuffer returns the buffer that Drive wants. It is made once, so that it counts for nothing.
func NewBuffer() []byte { return make([]byte, large) }

// Drive does w n times with a peer that runs Serve.
func (w Workload) Drive(e End, n int, cargo *Cargo, buf []byte) error {
	command := buf[:commandLen]
	clear(command)
	command[0] = w.code
	binary.LittleEndian.PutUint32(command[4:], uint32(n))
	if _, err := e.Write(command); err != nil {
		return err
	}
	return w.drive(e, n, cargo, buf)
}

// Serve is the peer: it does what the driver commands, until that closes its end.
func Serve(e End) error {
	buf := NewBuffer()
	for {
		command := buf[:commandLen]
		if _, err := io.ReadFull(e, command); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if int(command[0]) >= len(Workloads) {
			return fmt.Errorf("command %d", command[0])
		}
		w := Workloads[command[0]]
		if err := w.serve(e, int(binary.LittleEndian.Uint32(command[4:])), w.Passed, buf); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
	}
}

func ask(e End, n int, _ *Cargo, buf []byte) error {
	buf = buf[:small]
	for range n {
		if _, err := e.Write(buf); err != nil {
			return err
		}
		if _, err := io.ReadFull(e, buf); err != nil {
			return err
		}
	}
	return nil
}

func echo(e End, n, _ int, buf []byte) error {
	buf = buf[:small]
	for range n {
		if _, err := io.ReadFull(e, buf); err != nil {
			return err
		}
		if _, err := e.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// pour writes, and waits at the end until all of it has been read.
func pour(e End, n int, _ *Cargo, buf []byte) error {
	for range n {
		if _, err := e.Write(buf); err != nil {
			return err
		}
	}
	return answered(e, buf)
}

func drain(e End, n, _ int, buf []byte) error {
	for left := n * large; left > 0; {
		got, err := e.Read(buf)
		if err != nil {
			return err
		}
		left -= got
	}
	return answer(e)
}

// pass waits for an answer to each message, so that as many descriptors are under way with every
// contender.
func pass(e End, n int, cargo *Cargo, buf []byte) error {
	for range n {
		if err := e.Pass(buf[:small], cargo); err != nil {
			return err
		}
		if err := answered(e, buf); err != nil {
			return err
		}
	}
	return nil
}

func receive(e End, n, passed int, buf []byte) error {
	for range n {
		if err := receiveOne(e, buf, passed); err != nil {
			return err
		}
		if err := answer(e); err != nil {
			return err
		}
	}
	return nil
}

var errCargo = errors.New("not as many descriptors came as were sent")

func receiveOne(e End, buf []byte, passed int) error {
	got, err := e.Receive(buf)
	if err == nil && got != passed {
		err = errCargo
	}
	return err
}

var oneByte = []byte{1} // never written to

func answer(e End) error {
	_, err := e.Write(oneByte)
	return err
}

func answered(e End, buf []byte) error {
	_, err := e.Read(buf[:1])
	return err
}
