package sock_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"afunix/internal/sock"
)

// A desk is a Mailbox with links that are called by a letter each, of which the numbers count the
// datagrams: "a1" is the first one on link a.
type desk struct {
	t     *testing.T
	mail  sock.Mailbox[string]
	links map[string]*sock.Link[string]
	count map[string]uint64
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, links: make(map[string]*sock.Link[string]), count: make(map[string]uint64)}
}

// link returns the link with this name.
func (d *desk) link(name string) *sock.Link[string] {
	l := d.links[name]
	if l == nil {
		l = &sock.Link[string]{Conn: name}
		d.links[name] = l
		d.mail.Attach(l)
	}
	return l
}

// offer offers the next datagram of a link.
func (d *desk) offer(link string, how sock.Offer) {
	d.t.Helper()
	d.count[link]++
	how.Serial = d.count[link]
	if err := d.mail.Offer(d.link(link), how); err != nil {
		d.t.Fatal(err)
	}
}

// fill fills the queue by eleven datagrams of eleven links (row 48).
func (d *desk) fill() {
	d.t.Helper()
	for i := range sock.MaxQueue + 1 {
		d.offer(string(rune('a'+i)), sock.Offer{Peer: true})
	}
	if n := len(d.effects()); n != sock.MaxQueue+1 {
		d.t.Fatalf("%d datagrams were queued", n)
	}
}

// effects says what is to be done, in words.
func (d *desk) effects() (said []string) {
	for _, e := range d.mail.Effects() {
		switch e.Do {
		case sock.Acknowledge:
			said = append(said, fmt.Sprintf("queue %s%d", e.Link.Conn, e.Serial))
		case sock.Refuse:
			why := map[sock.Fate]string{sock.Refused: "refuse", sock.Barred: "bar", sock.Severed: "sever"}[e.Fate]
			said = append(said, fmt.Sprintf("%s %s%d, keep %d", why, e.Link.Conn, e.Serial, e.Records))
		case sock.Purge:
			said = append(said, fmt.Sprintf("purge %s, %d", e.Link.Conn, e.Records))
		case sock.Drop:
			said = append(said, "drop "+e.Link.Conn)
		}
	}
	return said
}

func TestMailbox(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(d *desk)
		want []string
	}{
		{"row 48: the eleventh fits, the twelfth waits", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
		}, nil},
		{"row 126: whoever comes first is next, whoever he is", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.offer("a", sock.Offer{})
			d.mail.Took()
			d.mail.Took()
		}, []string{"queue x1", "queue a2"}},
		{"row 124: to itself a socket sends what its buffer holds", func(d *desk) {
			d.fill()
			d.offer("me", sock.Offer{Own: true})
		}, []string{"queue me1"}},
		{"… but not ahead of those who wait", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.offer("me", sock.Offer{Own: true})
		}, nil},
		{"row 117: a stranger to a connected socket", func(d *desk) {
			d.mail.SetPeer(sock.Connected)
			d.offer("x", sock.Offer{})
			d.offer("p", sock.Offer{Peer: true})
		}, []string{"bar x1, keep 0", "queue p1"}},
		{"row 129: reading is shut down, what is queued stays", func(d *desk) {
			d.offer("a", sock.Offer{})
			d.mail.Shut()
			d.offer("a", sock.Offer{})
		}, []string{"queue a1", "refuse a2, keep 1"}},
		{"row 133: whoever waits goes on waiting when reading is shut down", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.mail.Shut()
		}, nil},
		{"… until there would have been room", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.mail.Shut()
			d.mail.Took()
		}, []string{"refuse x1, keep 0"}},
		{"row 133: the receiver closes", func(d *desk) {
			d.fill()
			d.offer("a", sock.Offer{})
			d.mail.Close()
			d.mail.Empty(true)
		}, []string{"sever a2, keep 1"}},
		{"a datagram that comes while the socket is closed", func(d *desk) {
			d.mail.Close()
			d.offer("a", sock.Offer{})
		}, []string{"sever a1, keep 0"}},
		{"a socket that may not speak for its links", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.mail.Close()
			d.mail.Empty(false)
		}, nil},
		{"withdrawn in time", func(d *desk) {
			d.fill()
			d.offer("a", sock.Offer{})
			d.mail.Withdraw(d.link("a"), 2)
			d.mail.Took()
		}, []string{"refuse a2, keep 1"}},
		{"withdrawn too late, or never sent", func(d *desk) {
			d.offer("a", sock.Offer{})
			d.mail.Withdraw(d.link("a"), 1)
			d.mail.Withdraw(d.link("a"), 0)
		}, []string{"queue a1"}},
		{"the sender ends: what is held was never sent, what is queued was", func(d *desk) {
			d.fill()
			d.offer("a", sock.Offer{})
			d.mail.End(d.link("a"))
			d.mail.Took()
		}, []string{"sever a2, keep 1", "drop a"}},
		{"a sender ends of whom nothing is left", func(d *desk) { d.mail.End(d.link("a")) }, []string{"drop a"}},
		{"row 120: the peer is lost, and with it what is queued", func(d *desk) {
			d.mail.SetPeer(sock.Connected)
			d.fill()
			d.offer("p", sock.Offer{Peer: true})
			d.mail.End(d.link("b"))
			d.mail.Part()
			d.offer("x", sock.Offer{})
		}, []string{"purge a, 1", "purge b, 1", "purge c, 1", "purge d, 1", "purge e, 1", "purge f, 1", "purge g, 1", "purge h, 1",
			"purge i, 1", "purge j, 1", "purge k, 1", "drop b", "queue p1", "queue x1"}},
		{"while the socket moves there is room up to the last ends", func(d *desk) {
			d.fill()
			d.offer("x", sock.Offer{})
			d.offer("y", sock.Offer{Ends: true})
			d.offer("z", sock.Offer{})
			d.mail.Move()
		}, []string{"queue x1", "queue y1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			tt.do(d)
			if got := d.effects(); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// A peer that does not wait for what becomes of a datagram breaks the rules.
func TestMailboxHoldsOneDatagramOfALink(t *testing.T) {
	d := newDesk(t)
	d.fill()
	d.offer("a", sock.Offer{})
	if err := d.mail.Offer(d.link("a"), sock.Offer{Serial: 3}); !errors.Is(err, sock.ErrProtocol) {
		t.Error(err)
	}
}

func TestMailboxBoundsItsSenders(t *testing.T) {
	d := newDesk(t)
	for i := range sock.MaxSenders - 3 {
		d.link(fmt.Sprint(i))
	}
	if d.mail.Crowded(2) || !d.mail.Crowded(3) {
		t.Error("not three more")
	}
	d.mail.End(d.link("0"))
	if d.mail.Crowded(3) {
		t.Error("a link that has ended counts")
	}
}
