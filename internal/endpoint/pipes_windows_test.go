package endpoint_test

import (
	"context"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

type source struct{ *winpipe.Listener }

func (s source) Accept() (pipe.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newSource(path string, t sock.Type) (pipe.Source, error) {
	l, err := winpipe.Listen(path, winpipe.Options{SocketType: uint8(t)})
	return source{l}, err
}

func newClient(ctx context.Context, path string, t sock.Type) (pipe.Pipe, error) {
	return winpipe.Dial(ctx, path, uint8(t))
}

func newPair() (a, b pipe.Pipe, err error) { return winpipe.NewPair() }

// opener is the System of real pipes.
type opener struct{}

func (opener) OpenPipe(v uintptr, server bool) (pipe.Pipe, error) {
	p, err := winpipe.OpenPipe(windows.Handle(v), server)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (opener) OpenSource(descriptors []uintptr, state []byte) (pipe.Source, error) {
	l, err := winpipe.OpenSource(descriptors, state)
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}
