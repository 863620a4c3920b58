package afunix

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/windows"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

// source is a listener of package winpipe as package endpoint takes it.
type source struct{ *winpipe.Listener }

func (s source) Accept() (pipe.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// system opens what another process has handed on: see pipe.Opener.
type system struct{}

var _ pipe.Opener = system{}

func (system) OpenPipe(v uintptr, server bool) (pipe.Pipe, error) {
	p, err := winpipe.OpenPipe(windows.Handle(v), server)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (system) OpenSource(descriptors []uintptr, state []byte) (pipe.Source, error) {
	l, err := winpipe.OpenSource(descriptors, state)
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}

func newSource(lc *ListenConfig, t sock.Type, path string) (pipe.Source, error) {
	l, err := winpipe.Listen(path, winpipe.Options{
		SocketType:         uint8(t),
		Backlog:            lc.Backlog,
		SecurityDescriptor: lc.SecurityDescriptor,
	})
	if err != nil {
		return nil, err
	}
	return source{l}, nil
}

func openPipe(ctx context.Context, path string, cfg endpoint.Config) (pipe.Pipe, error) {
	t := uint8(cfg.Type)
	if cfg.Local == "" {
		p, err := winpipe.Dial(ctx, path, t)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	name, err := winpipe.Bind(cfg.Local, t)
	if err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	p, err := winpipe.Dial(ctx, path, t)
	if err != nil {
		name.Close()
		return nil, err
	}
	return &boundPipe{Pipe: p, name: name}, nil
}

// boundPipe is the client's end of a pipe with a name of its own, which it gives up when it is closed. That also holds for an end that has
// been handed on: a socket file stays, as ever, but an abstract name is free again once the process that bound it has closed its
// end, although the connection goes on under that name.
type boundPipe struct {
	*winpipe.Pipe
	name *winpipe.Binding
	once sync.Once
}

func (p *boundPipe) Close() error {
	p.once.Do(func() { p.name.Close() })
	return p.Pipe.Close()
}

func bindName(name string, t sock.Type) (io.Closer, error) { return winpipe.Bind(name, uint8(t)) }

func findPlace(path string, t sock.Type) (pipe.Place, error) {
	p, err := winpipe.Find(path, uint8(t))
	return pipe.Place{p[0], p[1]}, err
}

func newPipePair() (a, b pipe.Pipe, err error) {
	x, y, err := winpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}

// isNative reports whether a name turned out to be a socket file of Windows' own AF_UNIX.
func isNative(err error) bool { return errors.Is(err, winpipe.ErrNativeSocket) }
