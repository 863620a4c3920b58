package demo

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"afunix"
)

// An exhibit is a descriptor of the demo's first part. Each leads to a token, a text that nobody
// can guess: the receiver has used the descriptor if it knows that, and the other way round if the
// demo gets an answer to it.
type exhibit struct {
	what    string
	file    afunix.Sendable
	want    string       // what the receiver should see
	sent    func() error // what the demo does when the message has been sent
	confirm func() error // sees that the demo got what it should
	closers []io.Closer
}

// close closes what the demo still has. Its errors say nothing: what was written has been checked.
func (e *exhibit) close() {
	for _, c := range e.closers {
		c.Close()
	}
}

// exhibits make the descriptors, in the order of the table; files below dir. What the system does
// not have is errors.ErrUnsupported. Whatever the error, the exhibit has its name.
var exhibits = []func(dir string) (*exhibit, error){
	newFile, newPipe, newListener, newStream, newDatagram, newMemory,
}

func newToken() string { return rand.Text() }

// answerTo is what the receiver sends back, so that its answer cannot be an echo.
func answerTo(token string) string { return "got " + token }

func nothing() error { return nil }

// newFile is a file of which the demo has read the first half. Its offset is shared: the receiver
// goes on from there, and the demo's own offset is at the end, too, when the receiver has read the
// rest.
func newFile(dir string) (*exhibit, error) {
	e := &exhibit{what: "file, read half-way", want: newToken(), sent: nothing}
	f, err := os.CreateTemp(dir, "file")
	if err != nil {
		return e, err
	}
	e.file, e.closers = f, []io.Closer{f}
	first := newToken()
	end := int64(len(first) + len(e.want))
	e.confirm = func() error {
		offset, err := f.Seek(0, io.SeekCurrent)
		if err == nil && offset != end {
			err = fmt.Errorf("the demo's own offset is %d and should be %d", offset, end)
		}
		return err
	}
	if _, err := f.WriteString(first + e.want); err != nil {
		return e, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return e, err
	}
	half := make([]byte, len(first))
	_, err = io.ReadFull(f, half)
	return e, err
}

// newPipe is the reading end of a pipe, into which the demo writes after it has closed its own copy
// of that.
func newPipe(string) (*exhibit, error) {
	e := &exhibit{what: "pipe", want: newToken(), confirm: nothing}
	r, w, err := os.Pipe()
	if err != nil {
		return e, err
	}
	e.file, e.closers = r, []io.Closer{r, w}
	e.sent = func() error {
		if err := r.Close(); err != nil {
			return err
		}
		if _, err := w.WriteString(e.want); err != nil {
			return err
		}
		return w.Close()
	}
	return e, nil
}

// newListener is a TCP listener to which the demo connects when it has closed its own copy, so that
// nobody but the receiver can accept.
func newListener(string) (*exhibit, error) {
	e := &exhibit{what: "TCP listener", want: newToken()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return e, err
	}
	e.file, e.closers = l.(*net.TCPListener), []io.Closer{l}
	var c net.Conn
	e.sent = func() error {
		if err := l.Close(); err != nil {
			return err
		}
		var err error
		if c, err = net.DialTimeout("tcp", l.Addr().String(), limit); err != nil {
			return err
		}
		e.closers = append(e.closers, c)
		return tell(c, e.want)
	}
	e.confirm = func() error { return expectAnswer(c, e.want) }
	return e, nil
}

// newStream is one end of an established TCP connection of which the demo keeps the other.
func newStream(string) (*exhibit, error) {
	e := &exhibit{what: "TCP connection", want: newToken()}
	ours, theirs, err := tcpPair()
	if err != nil {
		return e, err
	}
	e.file, e.closers = theirs, []io.Closer{ours, theirs}
	e.sent = func() error {
		if err := theirs.Close(); err != nil {
			return err
		}
		return tell(ours, e.want)
	}
	e.confirm = func() error { return expectAnswer(ours, e.want) }
	return e, nil
}

func tcpPair() (a, b *net.TCPConn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	x, err := net.DialTimeout("tcp", l.Addr().String(), limit)
	if err != nil {
		return nil, nil, err
	}
	for {
		y, err := l.Accept()
		if err != nil {
			x.Close()
			return nil, nil, err
		}
		if y.RemoteAddr().String() == x.LocalAddr().String() {
			return x.(*net.TCPConn), y.(*net.TCPConn), nil
		}
		y.Close() // somebody else's
	}
}

// tell sends a token, and its end.
func tell(c net.Conn, token string) error {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, token); err != nil {
		return err
	}
	return c.(interface{ CloseWrite() error }).CloseWrite()
}

// expectAnswer reads what the receiver has sent back, and its end.
func expectAnswer(c net.Conn, token string) error {
	text, err := io.ReadAll(c)
	return errors.Join(err, compare(text, token))
}

func compare(answer []byte, token string) error {
	if string(answer) != answerTo(token) {
		return fmt.Errorf("the demo got %.60q back and should have got %.60q", answer, answerTo(token))
	}
	return nil
}

// newDatagram is a UDP socket to which the demo sends from another.
func newDatagram(string) (*exhibit, error) {
	e := &exhibit{what: "UDP socket", want: newToken()}
	theirs, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return e, err
	}
	e.file, e.closers = theirs, []io.Closer{theirs}
	ours, err := net.DialUDP("udp", nil, theirs.LocalAddr().(*net.UDPAddr))
	if err != nil {
		theirs.Close()
		return e, err
	}
	e.closers = append(e.closers, ours)
	e.sent = func() error {
		if err := theirs.Close(); err != nil {
			return err
		}
		_, err := ours.Write([]byte(e.want))
		return err
	}
	e.confirm = func() error {
		buf := make([]byte, 100)
		if err := ours.SetDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		n, err := ours.Read(buf)
		return errors.Join(err, compare(buf[:n], e.want))
	}
	return e, nil
}

// newMemory is shared memory. The receiver writes its answer where it has found the token.
func newMemory(string) (*exhibit, error) {
	e := &exhibit{what: "shared memory", want: newToken(), sent: nothing}
	m, err := createMemory(memorySize)
	if err != nil {
		return e, err
	}
	e.file, e.closers = m.file, []io.Closer{m}
	copy(m.bytes, e.want)
	e.confirm = func() error { return compare(cutAtZero(m.bytes), e.want) }
	return e, nil
}

// memorySize is one page, on most systems.
const memorySize = 4096

func cutAtZero(b []byte) []byte {
	before, _, _ := bytes.Cut(b, []byte{0})
	return before
}

// writeToken writes a file with a token.
func writeToken(dir string) (path, token string, err error) {
	f, err := os.CreateTemp(dir, "token")
	if err != nil {
		return "", "", err
	}
	token = newToken()
	_, err = f.WriteString(token)
	return f.Name(), token, errors.Join(err, f.Close())
}

// lineSize is how long each line of openLines' file is, its newline included.
const lineSize = 9

// openLines makes a file with n lines and opens it n times, each time up to the beginning of
// another line, in their order. It returns the file's text; closing may be repeated.
func openLines(dir string, n int) (text string, files []afunix.Sendable, closeAll func(), err error) {
	for range n {
		text += newToken()[:lineSize-1] + "\n"
	}
	var opened []*os.File
	closeAll = func() {
		for _, f := range opened {
			f.Close()
		}
		opened = nil
	}
	path := dir + string(os.PathSeparator) + "lines"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", nil, nil, err
	}
	for i := range n {
		f, err := os.Open(path)
		if err != nil {
			closeAll()
			return "", nil, nil, err
		}
		opened, files = append(opened, f), append(files, f)
		if _, err := f.Seek(int64(i*lineSize), io.SeekStart); err != nil {
			closeAll()
			return "", nil, nil, err
		}
	}
	return text, files, closeAll, nil
}
