package sim

import (
	"context"
	"syscall"

	"afunix/internal/pipe"
)

// A network is what a process can reach by name: datagram sockets. It satisfies pipe.Network.
type network struct{ p *Process }

// linkQuota is how many bytes are in a link's pipe before it is full.
const linkQuota = 5000

// named returns the port that has a name now.
func (n network) named(name string) (*port, error) {
	w := n.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o := w.names[name]; {
	case o == nil:
		return nil, syscall.ENOENT
	case o.released:
		return nil, syscall.ECONNREFUSED
	default:
		return o, nil
	}
}

func (n network) Find(name string) (pipe.Place, error) {
	o, err := n.named(name)
	if err != nil {
		return pipe.Place{}, err
	}
	return pipe.Place{uint64(o.number)}, nil
}

func (n network) Dial(_ context.Context, name string) (pipe.Pipe, error) {
	n.p.w.step(n.p, word("dial "+name))
	o, err := n.named(name)
	if err != nil {
		return nil, err
	}
	return n.p.reach(o, n.p.w.newPipe(o.opener, n.p, linkQuota))
}

func (n network) Listen(name string) (pipe.Source, string, error) {
	w := n.p.w
	w.step(n.p, word("bind "+name))
	s, err := n.p.openPort()
	if err != nil {
		return nil, "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.port.number = len(w.names) + 1
	w.names[name] = s.port
	return s, name, nil
}
