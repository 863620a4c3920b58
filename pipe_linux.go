package afunix

import (
	"context"
	"io"

	"afunix/internal/endpoint"
	"afunix/internal/linuxpipe"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// source is a listener of package linuxpipe as package endpoint takes it.
type source struct{ *linuxpipe.Listener }

func (s source) Accept() (pipe.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Shed accepts a client that is to be told that there is no room: see pipe.Shedder.
func (s source) Shed() (pipe.Pipe, error) {
	p, err := s.Listener.Shed()
	if err != nil {
		return nil, err
	}
	return p, nil
}

var _ pipe.Shedder = source{}

func newSource(lc *ListenConfig, t sock.Type, path string) (pipe.Source, error) {
	l, err := linuxpipe.Listen(path, lc.Mode, uint8(t))
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}

// system makes pipes and sources of what another process has handed on: see pipe.Opener.
type system struct{}

func (system) OpenPipe(v uintptr, _ bool) (pipe.Pipe, error) {
	p, err := linuxpipe.OpenPipe(int(v))
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (system) OpenSource(descriptors []uintptr, state []byte) (pipe.Source, error) {
	l, err := linuxpipe.OpenListener(descriptors, state)
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}

func openPipe(_ context.Context, path string, cfg endpoint.Config) (pipe.Pipe, error) {
	p, err := linuxpipe.Dial(path, cfg.Local, uint8(cfg.Type))
	if err != nil {
		return nil, err
	}
	return p, nil
}

func bindName(name string, t sock.Type) (io.Closer, error) { return linuxpipe.Bind(name, uint8(t)) }

func findPlace(path string, t sock.Type) (pipe.Place, error) {
	p, err := linuxpipe.Find(path, uint8(t))
	return pipe.Place{p.Device, p.Inode, p.Changed}, err
}

func newPipePair() (a, b pipe.Pipe, err error) {
	x, y, err := linuxpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}

// isNative reports whether a name turned out to be a socket of the system's own AF_UNIX. Here every name is one.
func isNative(error) bool { return false }
