//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"afunix"
)

// An account is what the survivor has seen.
type account struct {
	sent, received int // messages
	descriptors    int
	bare           []int // the numbers of those that came without their descriptors
	sendError      error // why it did not send them all
	reset          bool  // the victim died with something unread
	refused        bool  // there was no connection
}

// survive does its part of the conversation, up to its end. Whatever happens, it must not wait for
// ever.
func (k *killing) survive(c *afunix.Conn, a *account) (err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() { read <- k.readToTheEnd(c, a) }()
	beside := 0
	for k.Flow != sends && a.sent < k.Messages && a.sendError == nil {
		if a.sendError = k.goods.send(c, 0, a.sent, filesBeside(a.sent)); a.sendError == nil {
			beside += filesBeside(a.sent)
			a.sent++
		}
	}
	err = <-read
	a.descriptors += beside
	if a.sendError != nil {
		err = errors.Join(err, among(a.sendError, syscall.EPIPE, syscall.ECONNRESET))
	}
	return err
}

// readToTheEnd receives messages, in their order, until the end. A peer that died with something
// unread has reset the connection, which is told once: on a stream behind the messages, else in
// front of them (rows 154 and 199 of docs/CONFORMANCE.md).
func (k *killing) readToTheEnd(c *afunix.Conn, a *account) error {
	for {
		l, err := receive(c)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, syscall.ECONNRESET) && !a.reset:
			a.reset = true
		case err != nil && !k.isBare(err):
			return fmt.Errorf("read after %d messages: %w", a.received, err)
		case l.number != a.received:
			return fmt.Errorf("message %d is number %d", a.received, l.number)
		default:
			a.note(l, err)
		}
	}
}

// isBare reports whether a message came without its descriptors because its sender died before this
// process had taken them. Over the kernel there is no such thing.
func (k *killing) isBare(err error) bool {
	return k.Transport == afunix.PipeTransport && errors.Is(err, afunix.ErrRightsTruncated)
}

// note notes a message, with the error beside it.
func (a *account) note(l label, err error) {
	if err != nil {
		a.bare = append(a.bare, l.number)
	} else {
		a.descriptors += l.files
	}
	a.received++
}

// readDatagrams receives until a datagram of this process comes.
func (k *killing) readDatagrams(c *afunix.Conn, a *account) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for {
		l, err := receive(c)
		switch {
		case err != nil && !k.isBare(err):
			return fmt.Errorf("read after %d datagrams: %w", a.received, err)
		case l.sender == lastSender:
			return nil
		case l.number != a.received:
			return fmt.Errorf("datagram %d is number %d", a.received, l.number)
		}
		a.note(l, err)
	}
}

// sendDatagrams sends until all are sent or nobody is there.
func (k *killing) sendDatagrams(c *afunix.Conn, a *account) (err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for a.sent < k.Messages {
		if a.sendError = k.goods.send(c, 0, a.sent, filesBeside(a.sent)); a.sendError != nil {
			return among(a.sendError, syscall.ECONNREFUSED)
		}
		a.descriptors += filesBeside(a.sent)
		a.sent++
	}
	return nil
}
