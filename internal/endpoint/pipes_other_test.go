//go:build !linux && !windows

package endpoint_test

import (
	"context"
	"errors"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// Other systems have no message pipe yet: what needs a real one is skipped there, what works over
// the fake one runs.

func newSource(string, sock.Type) (pipe.Source, error) { return nil, errors.ErrUnsupported }

func newClient(context.Context, string, sock.Type) (pipe.Pipe, error) {
	return nil, errors.ErrUnsupported
}

func newPair() (a, b pipe.Pipe, err error) { return nil, nil, errors.ErrUnsupported }

// opener is the System of real pipes.
type opener struct{}

func (opener) OpenPipe(uintptr, bool) (pipe.Pipe, error) { return nil, errors.ErrUnsupported }

func (opener) OpenSource([]uintptr, []byte) (pipe.Source, error) {
	return nil, errors.ErrUnsupported
}
