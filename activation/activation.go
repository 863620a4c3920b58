package activation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"afunix"
	"afunix/internal/activated"
	"afunix/internal/descriptor"
)

// Files takes over the descriptors that the service manager has passed to this process, in their
// order. The Name of each file is that which the manager has given (LISTEN_FDNAMES), or "unknown"
// as in sd_listen_fds_with_names(3). Nobody else sees the descriptors after this: neither child
// processes nor another call of Files or [Take]. The caller closes the files.
//
// Nothing has been passed if LISTEN_PID is not the number of this process. That is no error.
func Files() ([]*os.File, error) {
	all, err := files()
	if err != nil {
		return nil, fmt.Errorf("activation: %w", err)
	}
	return all, nil
}

// Sockets are what the service manager has passed, and nobody has asked for yet. Their methods are
// for one goroutine at a time.
type Sockets struct {
	files      []*os.File // nil once somebody has it
	candidates []activated.Candidate
	kinds      []descriptor.Kind

	launched func(name string) ([]*os.File, error) // asks launchd, which gives each name's once
	asked    map[string]bool                       // the names that launchd has been asked for
}

// Take takes over what the service manager has passed to this process: see [Files]. There may be
// nothing. The caller closes the Sockets when it has asked for all that it knows.
func Take() (*Sockets, error) {
	all, err := Files()
	if err != nil {
		return nil, err
	}
	s := &Sockets{launched: launched, asked: map[string]bool{}}
	s.add(all)
	return s, nil
}

func (s *Sockets) add(files []*os.File) {
	for _, f := range files {
		c, kind := describe(f)
		s.files = append(s.files, f)
		s.candidates = append(s.candidates, c)
		s.kinds = append(s.kinds, kind)
	}
}

// ask takes over what the service manager passes to those alone who ask for a name: launchd does.
func (s *Sockets) ask(name string) error {
	if name == "" || s.asked[name] {
		return nil
	}
	all, err := s.launched(name)
	if err != nil {
		return fmt.Errorf("activation: socket %q: %w", name, err)
	}
	s.asked[name] = true
	s.add(all)
	return nil
}

// Listener returns the socket that listens with this name, network and address; fs.ErrNotExist if
// the service manager has passed none. A TCP listener is chosen among the TCP listeners only, and
// so on. The first choice is a listener with the name at the address; the second is the only
// listener with the name, wherever it listens; the third is a listener at the address that has
// another name or none. An address without a host, or with a host that stands for all, means a
// listener at 0.0.0.0 or [::]. The name "" means a listener without a name.
//
// A listener of AF_UNIX is a *[afunix.Listener]. Its socket file is the service manager's, and
// stays when the listener is closed.
func (s *Sockets) Listener(ctx context.Context, name, network, address string) (net.Listener, error) {
	return take(ctx, s, name, network, address, listener)
}

// PacketConn is Listener for datagram sockets: of the networks "udp" and "unixgram", for example.
// One of AF_UNIX is a *[afunix.Conn].
func (s *Sockets) PacketConn(ctx context.Context, name, network, address string) (net.PacketConn, error) {
	return take(ctx, s, name, network, address, packetConn)
}

// take makes the chosen socket what its user wants.
func take[T any](ctx context.Context, s *Sockets, name, network, address string,
	use func(*os.File, descriptor.Kind) (T, error)) (got T, err error) {
	if err := s.ask(name); err != nil {
		return got, err
	}
	i := -1
	if len(s.files) > 0 { // or nobody need be asked for the addresses of a host
		i = activated.Choose(activated.Request{
			Name: name, Network: network, Places: activated.PlacesOf(ctx, network, address),
		}, s.candidates)
	}
	if i < 0 {
		return got, fmt.Errorf("activation: the service manager has passed no socket %q of %s at %s: %w",
			name, network, address, fs.ErrNotExist)
	}
	if got, err = use(s.files[i], s.kinds[i]); err != nil {
		return got, fmt.Errorf("activation: socket %q: %w", name, err)
	}
	s.close(i)
	return got, nil
}

// close closes file i, which its user has a copy of.
func (s *Sockets) close(i int) {
	s.files[i].Close()
	s.files[i] = nil
	s.candidates[i].Used = true
}

// File returns the first descriptor with the name that nobody has asked for, of whatever kind;
// fs.ErrNotExist if there is none. It may be a FIFO (ListenFIFO=), what this service has stored
// ([Manager.Store]), or a connection (Accept=yes, named "connection"), of which [afunix.FileConn]
// or [net.FileConn] make more. The caller closes the file.
func (s *Sockets) File(name string) (*os.File, error) {
	if err := s.ask(name); err != nil {
		return nil, err
	}
	for i, f := range s.files {
		if f != nil && f.Name() == name {
			s.files[i] = nil
			s.candidates[i].Used = true
			return f, nil
		}
	}
	return nil, fmt.Errorf("activation: the service manager has passed nothing that is called %q: %w", name, fs.ErrNotExist)
}

// Names returns the names of what nobody has asked for, in the order in which the service manager
// has passed it. On macOS that are only those that have been asked for: launchd does not tell names.
func (s *Sockets) Names() (names []string) {
	for _, f := range s.files {
		if f != nil {
			names = append(names, f.Name())
		}
	}
	return names
}

// Close closes what nobody has asked for.
func (s *Sockets) Close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.files, s.candidates, s.kinds = nil, nil, nil
	return errors.Join(errs...)
}

func listener(f *os.File, k descriptor.Kind) (net.Listener, error) {
	if k != descriptor.UnixListener {
		return net.FileListener(f)
	}
	l, err := afunix.FileListener(f)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func packetConn(f *os.File, k descriptor.Kind) (net.PacketConn, error) {
	if k != descriptor.Unix {
		return net.FilePacketConn(f)
	}
	c, err := afunix.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	return c, nil
}
