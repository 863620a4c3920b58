//go:build !linux && !windows

package demo

import (
	"errors"

	"afunix"
)

// memory is shared memory, which has no descriptors here that package syscall could make.
type memory struct {
	file  afunix.Descriptor
	bytes []byte
}

func createMemory(int) (*memory, error) { return nil, errors.ErrUnsupported }

func openMemory(afunix.Rights, int, int) (*memory, error) { return nil, errors.ErrUnsupported }

func (m *memory) Close() error { return nil }
