package endpoint_test

import (
	"context"

	"golang.org/x/sys/windows"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

type source struct{ *winpipe.Listener }

func (s source) Accept() (endpoint.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newSource(path string, t sock.Type) (endpoint.Source, error) {
	l, err := winpipe.Listen(path, winpipe.Options{SocketType: uint8(t)})
	return source{l}, err
}

func newClient(ctx context.Context, path string, t sock.Type) (endpoint.Pipe, error) {
	return winpipe.Dial(ctx, path, uint8(t))
}

func newPair() (a, b endpoint.Pipe, err error) { return winpipe.NewPair() }

// opener is the System of real pipes.
type opener struct{}

func (opener) OpenPipe(v uintptr, server bool) (endpoint.Pipe, error) {
	p, err := winpipe.OpenPipe(windows.Handle(v), server)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (opener) OpenSource(descriptors []uintptr, state []byte) (endpoint.Source, error) {
	l, err := winpipe.OpenSource(descriptors, state)
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}
