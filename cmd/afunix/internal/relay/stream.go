package relay

import (
	"fmt"
	"io"
	"net"
	"sync"

	"afunix"
)

// A tcp is a stream that carries bytes and nothing else: a TCP connection.
type tcp struct {
	*net.TCPConn
	buf  []byte
	seen int // what the last receive has filled of buf
	once sync.Once
}

// TCP returns the end that c is. The end owns c.
func TCP(c *net.TCPConn) End { return &tcp{TCPConn: c, buf: make([]byte, firstBuffer)} }

// Receive receives bytes.
func (t *tcp) Receive() (Message, error) {
	t.buf = grown(t.buf, t.seen)
	n, err := t.Read(t.buf)
	t.seen = n
	if n > 0 {
		err = nil // the next call has it again
	}
	return Message{Data: t.buf[:n]}, err
}

// Send sends bytes. Descriptors are an error.
func (t *tcp) Send(m Message) error {
	if len(m.Rights) > 0 {
		return cannotPass(m, "tcp:"+t.RemoteAddr().String())
	}
	_, err := t.Write(m.Data)
	return err
}

// CloseWrite shuts the direction down.
func (t *tcp) CloseWrite() { _ = t.TCPConn.CloseWrite() }

// CloseRead wakes a Receive that waits. TCP has no way to tell the peer.
func (t *tcp) CloseRead() { _ = t.TCPConn.CloseRead() }

// Takes cannot be told of TCP.
func (t *tcp) Takes() bool { return true }

// Close closes the connection, with a reset if there is an error.
func (t *tcp) Close(cause error) {
	t.once.Do(func() {
		if cause != nil {
			_ = t.SetLinger(0)
		}
		t.TCPConn.Close()
	})
}

// A files is a pair of files: standard input and output.
type files struct {
	in, out io.Closer
	pieces  chan piece
	taken   chan struct{} // a piece has been sent on
	ended   chan struct{} // CloseRead or Close
	write   func([]byte) (int, error)
	endRead sync.Once
	endOut  sync.Once
	begun   bool
}

// A piece is what one Read gave.
type piece struct {
	data []byte
	err  error
}

// Files returns the end whose peer writes to in and reads from out. The end owns both.
//
// A Read of standard input may last for ever, whatever is closed. So a goroutine reads, and is left
// behind if need be.
func Files(in io.ReadCloser, out io.WriteCloser) End {
	f := &files{
		in: in, out: out, write: out.Write,
		pieces: make(chan piece), taken: make(chan struct{}), ended: make(chan struct{}),
	}
	go f.read(in)
	return f
}

func (f *files) read(in io.Reader) {
	buf := make([]byte, bufferSize)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			err = nil // the next call has it again
		}
		select {
		case f.pieces <- piece{buf[:n], err}:
		case <-f.ended:
			return
		}
		if err != nil {
			return
		}
		select {
		case <-f.taken:
		case <-f.ended:
			return
		}
	}
}

// Receive receives bytes.
func (f *files) Receive() (Message, error) {
	if f.begun {
		select {
		case f.taken <- struct{}{}:
		case <-f.ended:
			return Message{}, io.EOF
		}
	}
	f.begun = true
	select {
	case p := <-f.pieces:
		return Message{Data: p.data}, p.err
	case <-f.ended:
		return Message{}, io.EOF
	}
}

// Send writes bytes. Descriptors are an error.
func (f *files) Send(m Message) error {
	if len(m.Rights) > 0 {
		return cannotPass(m, "standard output")
	}
	_, err := f.write(m.Data)
	return err
}

// CloseWrite closes the output.
func (f *files) CloseWrite() { f.endOut.Do(func() { f.out.Close() }) }

// CloseRead ends a Receive that waits. The peer is told when the input is closed.
func (f *files) CloseRead() { f.endRead.Do(func() { close(f.ended); f.in.Close() }) }

// Takes cannot be told of files.
func (f *files) Takes() bool { return true }

// Close closes input and output.
func (f *files) Close(error) {
	f.CloseRead()
	f.CloseWrite()
}

// cannotPass is the error of descriptors that came for an end that takes none.
func cannotPass(m Message, to string) error {
	what := "a descriptor"
	if n := len(m.Rights); n > 1 {
		what = fmt.Sprintf("%d descriptors", n)
	}
	return &CannotPassError{what, to}
}

// A CannotPassError says that descriptors came for an end that takes none.
type CannotPassError struct{ What, To string }

// Error says what came, and for whom.
func (e *CannotPassError) Error() string {
	return fmt.Sprintf("%s came, and %s takes none", e.What, e.To)
}

// Unwrap returns what the library says of this.
func (e *CannotPassError) Unwrap() error { return afunix.ErrNotSendable }
