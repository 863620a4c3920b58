package sock_test

import (
	"testing"

	"pgregory.net/rapid"
)

// chance lets package rapid throw the dice.
type chance struct{ *rapid.T }

func (c chance) pick(n int) int { return rapid.IntRange(0, n-1).Draw(c.T, "pick") }

// Of senders that keep to the rules: each learns what has become of its letter, and that is true;
// letters are read once, in the order in which they found room; nobody waits while there is room,
// and nobody has more than there is (rows 48, 124, 126, 133).
func TestMailboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPost(chance{t}, t, true)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			p.step()
		}
		p.settle()
	})
}

// full is a script that makes thirteen senders send a letter each to a socket that does not read.
func full(honest byte) []byte {
	script := []byte{honest, 0}
	const senders = 13
	for i := range byte(senders) {
		if i > 0 {
			script = append(script, 0)
		}
		script = append(script, 0, 1, 1, 1) // open a link
	}
	for i := range byte(senders) {
		script = append(script, i, 4, 1, 0) // send
		script = append(script, i, 10)      // deliver
	}
	return script
}

// FuzzPost is TestMailboxModel, by a script. If that begins with an odd byte, senders keep to no
// rule: then the mailbox alone must not lose its balance.
func FuzzPost(f *testing.F) {
	for _, honest := range []byte{0, 1} {
		f.Add([]byte{honest})
		for _, then := range [][]byte{
			{},
			{12, 24, 12, 10, 12, 16},       // withdrawn
			{12, 25, 12, 10, 3, 20, 0},     // the sender ends
			{0, 26, 0, 26},                 // connected, and not any more
			{0, 28, 0, 28, 1, 0, 20, 0},    // moves
			{0, 28, 0, 28, 0, 0, 20, 0},    // stays
			{0, 30, 0, 0, 20, 0, 0, 20, 0}, // deaf
			{0, 31, 0, 0, 31, 0, 0},        // closed
		} {
			f.Add(append(full(honest), then...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			t.Skip()
		}
		s := &script{b}
		p := newPost(s, t, s.byte()&1 == 0)
		for len(s.rest) > 0 {
			p.step()
		}
		p.settle()
	})
}
