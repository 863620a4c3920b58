package afunix

import (
	"context"
	"errors"

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
	if cfg.Local != "" {
		return nil, errors.ErrUnsupported // a name for a client's end comes with datagrams, which need it
	}
	p, err := winpipe.Dial(ctx, path, uint8(cfg.Type))
	if err != nil {
		return nil, err
	}
	return p, nil
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
