package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// maxClients bounds how many clients a Server has at once. Others wait where they are: in the
// backlog, or on the other side of a pair of pipes.
const maxClients = 4096

// A Source has clients.
type Source interface {
	// Accept waits for a client, and returns it with a text that says who it is. An error that
	// passes, as EMFILE, is a *Temporary; after any other there are no more clients, and
	// net.ErrClosed is the regular end.
	Accept() (client End, who string, err error)
	// Close ends an Accept that waits.
	Close() error
}

// A Target gives ends for clients to be joined to.
type Target interface {
	Dial(ctx context.Context) (End, error)
	fmt.Stringer
}

// A Temporary error of Accept passes.
type Temporary struct{ Err error }

// Error is that of the error itself.
func (t *Temporary) Error() string { return t.Err.Error() }

// Unwrap returns the error itself.
func (t *Temporary) Unwrap() error { return t.Err }

// A Server joins each client of a Source to an end of a Target.
type Server struct {
	Source  Source
	Target  Target
	Idle    time.Duration     // end when there has been no client for so long; 0 is never
	Log     func(line string) // takes a line for each error of a connection
	Verbose bool              // and a line for each client that comes and goes
	Single  bool              // there is one connection: its error is that of Serve

	room    chan struct{} // has one for each client that is there
	clients sync.WaitGroup

	mu    sync.Mutex
	err   error // of the Single connection
	count int   // clients that have come
	here  int   // clients that are there
	timer *time.Timer
	idle  bool // Idle is over
}

// Serve serves until ctx ends, Idle is over, or the source has no more clients. When it returns,
// all connections are closed, unless there is one that nothing can wake. The end of ctx, or of
// Idle, is no error.
func (s *Server) Serve(ctx context.Context) error {
	s.room = make(chan struct{}, maxClients)
	defer context.AfterFunc(ctx, func() { s.Source.Close() })()
	defer s.Source.Close()
	s.arm()
	defer s.clients.Wait()
	for {
		select {
		case s.room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		client, who, err := s.Source.Accept()
		if err == nil {
			s.meet(ctx, client, who)
			continue
		}
		<-s.room
		if ctx.Err() != nil || s.over() || errors.Is(err, net.ErrClosed) {
			return s.single()
		}
		if !errors.As(err, new(*Temporary)) {
			return err
		}
		s.Log(err.Error())
		if !pause(ctx) {
			return nil
		}
	}
}

// pause waits until it is worth another try, or reports that ctx has ended.
func pause(ctx context.Context) bool {
	again := time.NewTimer(100 * time.Millisecond)
	defer again.Stop()
	select {
	case <-again.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// meet connects the target for one client, which came as the name, and serves the client on another
// goroutine. Clients are connected one after the other, so that the target sees them in the order
// in which they came.
func (s *Server) meet(ctx context.Context, client End, who string) {
	name := fmt.Sprint("connection ", s.come())
	if s.Verbose {
		s.Log(fmt.Sprintf("%s: from %s to %s", name, who, s.Target))
	}
	target, err := s.Target.Dial(ctx)
	if err != nil {
		client.Close(err)
		s.failed(ctx, name, err)
		s.goes()
		return
	}
	s.clients.Go(func() { s.serve(ctx, client, target, name) })
}

// serve serves one client.
func (s *Server) serve(ctx context.Context, client, target End, name string) {
	defer s.goes()
	defer context.AfterFunc(ctx, func() { client.Close(errInterrupted); target.Close(errInterrupted) })()
	up, down, err := Join(client, target)
	if err != nil {
		s.failed(ctx, name, err)
	}
	if s.Verbose {
		s.Log(fmt.Sprintf("%s: ended, %s up, %s down", name, up, down))
	}
}

// errInterrupted is why connections end that nobody has ended.
var errInterrupted = errors.New("the relay was told to end")

// failed takes in the error of a connection, but not what the end of the Server itself causes.
func (s *Server) failed(ctx context.Context, name string, err error) {
	switch {
	case ctx.Err() != nil:
	case s.Single:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
	default:
		s.Log(name + ": " + err.Error())
	}
}

// single waits for the end of all connections, and returns the error of the one.
func (s *Server) single() error {
	s.clients.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// String says how much has gone.
func (t Traffic) String() string {
	if t.Rights == 0 {
		return fmt.Sprintf("%d bytes", t.Bytes)
	}
	return fmt.Sprintf("%d bytes and %d descriptors", t.Bytes, t.Rights)
}

// come counts a client that has come, and returns its number.
func (s *Server) come() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.here++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return s.count
}

// goes counts a client that has gone.
func (s *Server) goes() {
	s.mu.Lock()
	s.here--
	s.mu.Unlock()
	s.arm()
	<-s.room
}

// arm starts the time of Idle if nobody is there.
func (s *Server) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Idle <= 0 || s.here > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(s.Idle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.timer == timer {
			s.idle = true
			s.Source.Close()
		}
	})
	s.timer = timer
}

func (s *Server) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}
