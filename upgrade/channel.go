package upgrade

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"afunix"

	"afunix/internal/locks"
)

// protocolVersion changes when two processes of different versions would not understand each other
// any more.
const protocolVersion = 2

// maxMessage bounds what the other process may make this one allocate.
const maxMessage = 1 << 20

// What the messages say. The successor begins; "P" is the predecessor, "S" the successor.
//
//	S hello           who I am; P answers with one offer for each socket, then offered, or with abort
//	P offer           a socket: its descriptor comes along, unless it moves
//	P offered         that was all
//	S ready           I can serve; these sockets I go on with
//	P commit          go ahead; descriptors that move come before it, in messages of type moved
//	S taken           I serve: you need not any more
//	P yielded         I do not any more, and the service manager knows
//	P abort           nothing has changed, and this is why
//	P conn, S got     after yielded: a live connection, and that it has arrived
const (
	typeHello   = "hello"
	typeOffer   = "offer"
	typeOffered = "offered"
	typeReady   = "ready"
	typeMoved   = "moved"
	typeCommit  = "commit"
	typeTaken   = "taken"
	typeYielded = "yielded"
	typeAbort   = "abort"
	typeConn    = "conn"
	typeGot     = "got"
)

// A message is what the two processes tell each other. The key of an offer that is Kept is only a
// name if nobody has asked for the socket.
type message struct {
	Type    string
	Version int    `json:",omitempty"` // of hello
	Key     key    `json:",omitzero"`  // of offer and moved
	Addr    []byte `json:",omitempty"` // of offer: what the socket is bound to
	Kept    bool   `json:",omitempty"` // of offer: the service manager has it, too
	Passed  []byte `json:",omitempty"` // of offer: the name that the service manager has given it
	Moves   bool   `json:",omitempty"` // of offer: the descriptor comes after ready
	Managed bool   `json:",omitempty"` // of offered: the service manager has been told that P serves
	PID     int    `json:",omitempty"` // of offered: the number that the service manager has for S
	Keys    []key  `json:",omitempty"` // of ready
	Reason  string `json:",omitempty"` // of abort
	State   []byte `json:",omitempty"` // of conn

	File *socketFile `json:",omitempty"` // of offer
}

// A key identifies a socket from process to process: two that ask for the same mean the same.
type key struct{ Name, Network, Address string }

// MarshalJSON does not use JSON's strings, which are UTF-8: paths and abstract names need not be.
func (k key) MarshalJSON() ([]byte, error) {
	return json.Marshal([][]byte{[]byte(k.Name), []byte(k.Network), []byte(k.Address)})
}

// UnmarshalJSON takes what MarshalJSON makes.
func (k *key) UnmarshalJSON(text []byte) error {
	var parts [][]byte
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a key of %d parts", len(parts))
	}
	*k = key{string(parts[0]), string(parts[1]), string(parts[2])}
	return nil
}

func (k key) String() string { return fmt.Sprintf("%s (%s %s)", k.Name, k.Network, k.Address) }

// A channel carries messages between a process and its successor: each is its length in four bytes,
// and JSON. Descriptors come with the first byte.
type channel struct {
	conn    *afunix.Conn
	writing locks.Mutex[locks.Channel]
}

func (c *channel) send(m message, files ...afunix.Sendable) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		return fmt.Errorf("a message of %d bytes, of which at most %d may be sent", len(body), maxMessage)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	if len(files) == 0 {
		_, err = c.conn.Write(frame)
		return err
	}
	n, err := c.conn.WriteMsg(frame, files...)
	if err == nil && n < len(frame) { // a stream may take a part; the descriptors went with it
		_, err = c.conn.Write(frame[n:])
	}
	return err
}

// receive returns the next message, with the descriptors that came with it. It returns io.EOF if
// the other process has left. A message by which the other process calls everything off is an
// error.
func (c *channel) receive() (message, afunix.Rights, error) {
	m, rights, err := c.read()
	if err != nil {
		rights.Close()
		return message{}, afunix.Rights{}, err
	}
	if m.Type == typeAbort {
		rights.Close()
		return message{}, afunix.Rights{}, fmt.Errorf("%w: %s", ErrRefused, m.Reason)
	}
	return m, rights, nil
}

func (c *channel) read() (m message, rights afunix.Rights, err error) {
	var head [4]byte
	first, err := c.conn.ReadMsg(head[:])
	rights = first.Rights
	if err != nil {
		return m, rights, err
	}
	if _, err := io.ReadFull(c.conn, head[len(first.Data):]); err != nil {
		return m, rights, cutShort(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return m, rights, fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return m, rights, cutShort(err)
	}
	return m, rights, json.Unmarshal(body, &m)
}

// bound makes calls on conn fail when ctx ends, until release is called. Release leaves no deadline
// behind.
func bound(ctx context.Context, conn *afunix.Conn) (release func()) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(past)
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
			conn.SetDeadline(time.Time{})
		}
	}
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

// expect is receive for a message without descriptors whose type is known.
func (c *channel) expect(typ string) (message, error) {
	m, rights, err := c.receive()
	if err != nil {
		return message{}, err
	}
	rights.Close()
	if m.Type != typ {
		return message{}, unexpected(m)
	}
	return m, nil
}

// hasSaid reports whether the other process has said typ, and makes it impossible for it to say so
// any more: on this both agree, since who can no longer be heard gets EPIPE. (What has arrived
// before this side is shut down stays: so it is on Linux, and over the pipe transport.)
func (c *channel) hasSaid(typ string) bool {
	if c.conn.SetDeadline(time.Time{}) != nil || c.conn.CloseRead() != nil {
		return false // it has ended
	}
	_, err := c.expect(typ)
	return err == nil
}

func unexpected(m message) error { return fmt.Errorf("an unexpected message: %q", m.Type) }

// cutShort is what the end of the stream inside a message is.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
