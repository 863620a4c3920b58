//go:build linux || windows

package piped

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// names is the [pipe.Network] of this system. Those that listen do so as the options say.
type names struct{ options pipe.Options }

func (names) Find(name string) (pipe.Place, error) { return system.Find(name, sock.Datagram) }

func (names) Dial(ctx context.Context, name string) (pipe.Pipe, error) {
	return system.Dial(ctx, name, "", sock.Datagram)
}

func (n names) Listen(name string) (pipe.Source, string, error) {
	return bind(name, sock.Datagram, n.options)
}

// pipeOptions are what of o the system's part is.
func pipeOptions(o transport.Options) pipe.Options {
	return pipe.Options{Backlog: o.Backlog, Mode: o.Mode, Owner: o.Owner, Group: o.Group, SecurityDescriptor: o.SecurityDescriptor}
}

// bind binds name, or one that it chooses if that is "".
func bind(name string, t sock.Type, o pipe.Options) (pipe.Source, string, error) {
	if name != "" {
		if err := bindable(name, t); err != nil {
			return nil, "", err
		}
		source, err := system.Listen(name, t, o)
		return source, name, err
	}
	return choose(func(name string) (pipe.Source, error) { return system.Listen(name, t, o) })
}

// choose binds a free abstract name, which has the shape of those that Linux chooses (row 81).
func choose[B any](bind func(name string) (B, error)) (bound B, name string, err error) {
	for {
		name = fmt.Sprintf("@%05x", rand.N(1<<20))
		if bound, err = bind(name); !errors.Is(err, syscall.EADDRINUSE) {
			return bound, name, err
		}
	}
}

// autobind chooses names for sockets of type t.
func autobind(t sock.Type) endpoint.Autobind {
	return func() (string, io.Closer, error) {
		bound, name, err := choose(func(name string) (io.Closer, error) { return system.Bind(name, t) })
		return name, bound, err
	}
}
