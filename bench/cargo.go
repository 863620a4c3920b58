package bench

import (
	"errors"
	"os"
	"slices"

	"afunix"
)

// Cargo is descriptors to be passed: one regular file, as often as wanted, in the form that each
// contender takes. It is made beforehand, so that only the passing is measured.
type Cargo struct {
	file      *os.File
	values    []uintptr
	sendables []afunix.Sendable
	control   []byte // for sendmsg(2), where there is such a thing
}

// NewCargo returns n descriptors.
func NewCargo(n int) (*Cargo, error) {
	if n == 0 {
		return &Cargo{}, nil
	}
	f, err := os.CreateTemp("", "afunix-bench")
	if err != nil {
		return nil, err
	}
	// With something in it: an empty file takes the library longer to tell from other things.
	if _, err := f.Write(oneByte); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	fd := f.Fd()
	c := &Cargo{file: f}
	c.values = slices.Repeat([]uintptr{fd}, n)
	c.sendables = slices.Repeat([]afunix.Sendable{afunix.Descriptor(fd)}, n)
	c.control = controlMessage(c.values)
	return c, nil
}

// Close removes the file.
func (c *Cargo) Close() error {
	if c.file == nil {
		return nil
	}
	return errors.Join(c.file.Close(), os.Remove(c.file.Name()))
}
