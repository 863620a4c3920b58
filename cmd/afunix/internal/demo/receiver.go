package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"afunix"
	"afunix/cmd/afunix/internal/show"
)

// A Receiver is the second process: it answers the demonstration's requests.
type Receiver struct {
	Uses map[afunix.Kind]Use // what it does with a descriptor of each kind

	talk      talk
	transport afunix.Transport
	listener  *afunix.Listener // after doListen
}

// A Use uses descriptor i as what it is, and returns in words what was done, and what the
// descriptor has shown.
type Use func(r afunix.Rights, i int) (did, saw string, err error)

// NewReceiver returns a receiver that talks with the demonstration over c, and listens over the
// transport. The caller closes c.
func NewReceiver(c *afunix.Conn, transport afunix.Transport) *Receiver {
	return &Receiver{
		Uses: map[afunix.Kind]Use{
			afunix.KindFile:     useFile,
			afunix.KindPipe:     usePipe,
			afunix.KindListener: useListener,
			afunix.KindStream:   useStream,
			afunix.KindDatagram: useDatagram,
			afunix.KindMemory:   useMemory,
		},
		talk:      talk{conn: c},
		transport: transport,
	}
}

// Run does what the demonstration asks for, until that closes the connection.
func (r *Receiver) Run(ctx context.Context) error {
	defer r.close()
	if err := r.talk.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	for {
		var asked request
		rights, err := r.talk.receive(&asked)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		seen, err := r.do(ctx, asked, rights)
		rights.Close() // what was not used
		if err != nil {
			return err
		}
		if err := r.talk.send(answer{seen}); err != nil {
			return err
		}
	}
}

func (r *Receiver) close() {
	if r.listener != nil {
		r.listener.Close()
	}
}

func (r *Receiver) do(ctx context.Context, asked request, rights afunix.Rights) ([]observation, error) {
	switch asked.Do {
	case doUse:
		seen := make([]observation, rights.Len())
		for i := range seen {
			seen[i] = r.observe(rights, i)
		}
		return seen, nil
	case doReadAll:
		return []observation{readAll(rights)}, nil
	case doListen:
		lc := afunix.ListenConfig{Transport: r.transport, Authorize: sameUser}
		l, err := lc.Listen(ctx, "unix", asked.Address)
		r.listener = l
		return nil, err
	case doInherit:
		return []observation{r.inherit()}, nil
	}
	return nil, fmt.Errorf("the demo asks for %q", asked.Do)
}

// inherit accepts the connection of a process that is gone, and reads the file that it has sent.
func (r *Receiver) inherit() (o observation) {
	var err error
	defer func() { o.note(err) }()
	if r.listener == nil {
		err = errors.New("not listening")
		return o
	}
	if err = r.listener.SetDeadline(time.Now().Add(limit)); err != nil {
		return o
	}
	c, err := r.listener.AcceptConn()
	if err != nil {
		return o
	}
	defer c.Close()
	if err = c.SetDeadline(time.Now().Add(limit)); err != nil {
		return o
	}
	m, err := c.ReadMsg(make([]byte, 100))
	if err != nil {
		return o
	}
	defer m.Rights.Close()
	if n := m.Rights.Len(); n != 1 {
		err = fmt.Errorf("%s came", show.Plural(n, "descriptor"))
		return o
	}
	o = r.observe(m.Rights, 0)
	if _, err = c.ReadMsg(make([]byte, 100)); err != io.EOF {
		err = fmt.Errorf("the sender is not gone: %v", err)
		return o
	}
	err = nil
	o.Did = "accepted and read it when its sender was dead"
	return o
}

// note makes a problem of an error, unless there is one already.
func (o *observation) note(err error) {
	if err != nil && o.Problem == "" {
		o.Problem = err.Error()
	}
}

// observe uses descriptor i as what it is.
func (r *Receiver) observe(rights afunix.Rights, i int) observation {
	kind := rights.Kind(i)
	o := observation{Kind: kind.String()}
	use := r.Uses[kind]
	if use == nil {
		o.Problem = "nobody has sent such a descriptor"
		return o
	}
	did, saw, err := use(rights, i)
	o.Did, o.Saw = did, saw
	o.note(err)
	return o
}

func useFile(r afunix.Rights, i int) (did, saw string, err error) {
	f, err := r.File(i)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", "", err
	}
	text, err := io.ReadAll(f)
	return fmt.Sprintf("read on from byte %d to the end", offset), string(text), err
}

func usePipe(r afunix.Rights, i int) (did, saw string, err error) {
	f, err := r.File(i)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return "read what the demo wrote, and its end", string(text), err
}

func useListener(r afunix.Rights, i int) (did, saw string, err error) {
	l, err := r.Listener(i)
	if err != nil {
		return "", "", err
	}
	defer l.Close()
	if l, ok := l.(interface{ SetDeadline(time.Time) error }); ok {
		if err := l.SetDeadline(time.Now().Add(limit)); err != nil {
			return "", "", err
		}
	}
	c, err := l.Accept()
	if err != nil {
		return "", "", err
	}
	saw, err = converse(c)
	return "accepted the demo's connection, and answered", saw, err
}

func useStream(r afunix.Rights, i int) (did, saw string, err error) {
	c, err := r.Conn(i)
	if err != nil {
		return "", "", err
	}
	saw, err = converse(c)
	return "read what the demo said, and answered", saw, err
}

// converse reads a token up to the end, answers, and closes the connection.
func converse(c net.Conn) (saw string, err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(c, answerTo(string(text)))
	return string(text), err
}

func useDatagram(r afunix.Rights, i int) (did, saw string, err error) {
	c, err := r.PacketConn(i)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", "", err
	}
	buf := make([]byte, 100)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		return "", "", err
	}
	saw = string(buf[:n])
	_, err = c.WriteTo([]byte(answerTo(saw)), from)
	return "received a datagram, and answered its sender", saw, err
}

func useMemory(r afunix.Rights, i int) (did, saw string, err error) {
	m, err := openMemory(r, i, memorySize)
	if err != nil {
		return "", "", err
	}
	defer m.Close()
	saw = string(cutAtZero(m.bytes))
	copy(m.bytes, answerTo(saw))
	return "mapped it, read it, and wrote an answer", saw, nil
}

// readAll reads one line from each descriptor.
func readAll(r afunix.Rights) observation {
	o := observation{Kind: r.Kind(0).String(), Did: "read a line from each, in order"}
	var lines strings.Builder
	for i := range r.Len() {
		text, err := readLine(r, i)
		if err != nil {
			o.note(fmt.Errorf("descriptor %d: %w", i, err))
		}
		lines.WriteString(text)
	}
	o.Saw = lines.String()
	return o
}

func readLine(r afunix.Rights, i int) (string, error) {
	f, err := r.File(i)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, lineSize)
	n, err := io.ReadFull(f, text)
	return string(text[:n]), err
}
