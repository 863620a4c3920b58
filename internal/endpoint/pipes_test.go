//go:build linux || windows

package endpoint_test

import (
	"context"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

func newSource(path string, t sock.Type) (pipe.Source, error) {
	return opener{}.Listen(path, t, pipe.Options{})
}

func newClient(ctx context.Context, path string, t sock.Type) (pipe.Pipe, error) {
	return opener{}.Dial(ctx, path, "", t)
}

func newPair() (a, b pipe.Pipe, err error) { return opener{}.Pair() }
