//go:build !linux && !windows

package endpoint_test

import (
	"context"
	"errors"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
)

// Other systems have no message pipe yet: what needs a real one is skipped there, what works over the fake one runs.

func newSource(string, sock.Type) (endpoint.Source, error) { return nil, errors.ErrUnsupported }

func newClient(context.Context, string, sock.Type) (endpoint.Pipe, error) {
	return nil, errors.ErrUnsupported
}

func newPair() (a, b endpoint.Pipe, err error) { return nil, nil, errors.ErrUnsupported }

// opener is the System of real pipes.
type opener struct{}

func (opener) OpenPipe(uintptr, bool) (endpoint.Pipe, error) { return nil, errors.ErrUnsupported }

func (opener) OpenSource([]uintptr, []byte) (endpoint.Source, error) {
	return nil, errors.ErrUnsupported
}
