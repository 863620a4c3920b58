package afunix

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

// source is a listener of package winpipe as package endpoint takes it.
type source struct{ *winpipe.Listener }

func (s source) Accept() (endpoint.Pipe, error) {
	p, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newSource(lc *ListenConfig, t sock.Type, path string) (endpoint.Source, error) {
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

func openPipe(ctx context.Context, path string, cfg endpoint.Config) (endpoint.Pipe, error) {
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

// boundPipe is the client's end of a pipe with a name of its own, which it gives up when it is closed.
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

func findPlace(path string, t sock.Type) (endpoint.Place, error) {
	p, err := winpipe.Find(path, uint8(t))
	return endpoint.Place{p[0], p[1]}, err
}

func newPipePair() (a, b endpoint.Pipe, err error) {
	x, y, err := winpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}

// isNative reports whether a name turned out to be a socket file of Windows' own AF_UNIX.
func isNative(err error) bool { return errors.Is(err, winpipe.ErrNativeSocket) }
