package endpoint_test

import (
	"context"

	"afunix/internal/linuxpipe"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

type source struct{ *linuxpipe.Listener }

func (s source) Accept() (pipe.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newSource(path string, t sock.Type) (pipe.Source, error) {
	l, err := linuxpipe.Listen(path, 0, uint8(t))
	return source{l}, err
}

func newClient(_ context.Context, path string, t sock.Type) (pipe.Pipe, error) {
	return linuxpipe.Dial(path, "", uint8(t))
}

func newPair() (a, b pipe.Pipe, err error) { return linuxpipe.NewPair() }

// opener is the System of real pipes.
type opener struct{}

func (opener) OpenPipe(v uintptr, _ bool) (pipe.Pipe, error) {
	p, err := linuxpipe.OpenPipe(int(v))
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (opener) OpenSource(descriptors []uintptr, state []byte) (pipe.Source, error) {
	l, err := linuxpipe.OpenListener(descriptors, state)
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}
