//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"afunix"
)

// goods are what is sent: open files, each at a position of its own, by which it is known again in
// any process that has a descriptor of it; and a datagram socket, which on Windows goes another way
// than a file. The file is the test binary itself: what a victim has left in this process may keep
// it open, so it could not be removed.
type goods struct {
	files  []*os.File
	socket *net.UDPConn
}

const numberOfFiles = 8

// position is where file i is.
func position(i int) int64 { return int64(1000 + i%numberOfFiles) }

func openGoods() (g *goods, err error) {
	g = new(goods)
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for i := range numberOfFiles {
		f, err := os.Open(self)
		if err != nil {
			return nil, err
		}
		g.files = append(g.files, f)
		if _, err := f.Seek(position(i), io.SeekStart); err != nil {
			return nil, err
		}
	}
	g.socket, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	return g, err
}

func (g *goods) close() {
	for _, f := range g.files {
		f.Close()
	}
	if g.socket != nil {
		g.socket.Close()
	}
}

// A label is the text of a message: who sends it, the how manieth it is of that sender's, how many
// files there are beside it, and the address of the socket behind them, if there is one.
type label struct {
	sender, number, files int
	address               string
}

// labelSize is the size of each message.
const labelSize = 64

func (l label) text() []byte {
	text := fmt.Sprintf("%d %d %d %s", l.sender, l.number, l.files, l.address)
	return []byte(text + strings.Repeat(" ", labelSize-len(text)))
}

func parseLabel(text []byte) (l label, err error) {
	if len(text) != labelSize {
		return l, fmt.Errorf("%d bytes instead of a message: %q", len(text), text)
	}
	if _, err := fmt.Sscan(string(text), &l.sender, &l.number, &l.files); err != nil {
		return l, fmt.Errorf("%q is no message: %w", text, err)
	}
	if words := strings.Fields(string(text)); len(words) == 4 {
		l.address = words[3]
	}
	return l, nil
}

// message returns a message with so many files, and with the socket behind them if it has an odd
// number.
func (g *goods) message(sender, number, files int) (text []byte, beside []afunix.Sendable) {
	l := label{sender: sender, number: number, files: files}
	for i := range files {
		beside = append(beside, g.files[(number+i)%numberOfFiles])
	}
	if number%2 == 1 {
		l.address = g.socket.LocalAddr().String()
		beside = append(beside, g.socket)
	}
	return l.text(), beside
}

// send sends a message, to where c is connected or to.
func (g *goods) send(c *afunix.Conn, sender, number, files int) error {
	text, beside := g.message(sender, number, files)
	n, err := c.WriteMsg(text, beside...)
	switch {
	case err == nil && n != len(text):
		return io.ErrShortWrite
	case err != nil && n != 0 && n != len(text):
		return errors.Join(err, fmt.Errorf("%d bytes of a message went", n))
	case err != nil && n != 0:
		return &onItsWay{err}
	}
	return err
}

// onItsWay is why a send failed whose message is on its way nevertheless.
type onItsWay struct{ error }

func (o *onItsWay) Unwrap() error { return o.error }

// receive receives a message, checks that everything came with it that should, and closes that.
// With ErrRightsTruncated the label is there, too.
func receive(c *afunix.Conn) (label, error) {
	m, err := c.ReadMsg(make([]byte, labelSize))
	if err != nil && !errors.Is(err, afunix.ErrRightsTruncated) {
		return label{}, err
	}
	l, bad := parseLabel(m.Data)
	switch {
	case bad != nil:
		err = bad
	case err == nil:
		err = l.check(m.Rights)
	case m.Rights.Len() > 0:
		err = fmt.Errorf("%d descriptors beside %v", m.Rights.Len(), err)
	}
	return l, errors.Join(err, m.Rights.Close())
}

// check takes what came beside a message.
func (l label) check(r afunix.Rights) error {
	want := l.files
	if l.address != "" {
		want++
	}
	if r.Len() != want {
		return fmt.Errorf("message %+v with %d descriptors", l, r.Len())
	}
	for i := range l.files {
		if err := checkFile(r, i, position(l.number+i)); err != nil {
			return fmt.Errorf("message %+v, descriptor %d: %w", l, i, err)
		}
	}
	if l.address == "" {
		return nil
	}
	c, err := r.PacketConn(l.files)
	if err != nil {
		return err
	}
	if got := c.LocalAddr().String(); got != l.address {
		err = fmt.Errorf("message %+v: its socket is %s", l, got)
	}
	return errors.Join(err, c.Close())
}

func checkFile(r afunix.Rights, i int, want int64) error {
	f, err := r.File(i)
	if err != nil {
		return err
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && at != want {
		err = fmt.Errorf("a file at %d, not at %d", at, want)
	}
	return errors.Join(err, f.Close())
}
