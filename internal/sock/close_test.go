package sock_test

import (
	"testing"

	"afunix/internal/sock"
)

// Row 52, row 154: Close discards, and remembers whether there was anything, now or later.
func TestCloseDiscardsWhatIsUnread(t *testing.T) {
	for _, tt := range []struct {
		name        string
		typ         sock.Type
		early, late []sock.Segment
		unread      bool
	}{
		{"nothing", sock.Stream, nil, nil, false},
		{"a record of no bytes, which the kernel does not count", sock.Seqpacket, []sock.Segment{segment("")}, nil, false},
		{"two of them", sock.Seqpacket, []sock.Segment{segment(""), segment("")}, nil, true},
		{"something queued", sock.Stream, []sock.Segment{segment("x"), withRights(segment("y"), &descs{n: 3})}, nil, true},
		{"something comes later", sock.Stream, nil, []sock.Segment{withRights(segment("y"), &descs{n: 3})}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := sock.NewInbox(tt.typ, sock.RightsWindow)
			for _, s := range tt.early {
				admitAndPut(t, in, s)
			}
			in.Close()
			for _, s := range tt.late {
				if admitAndPut(t, in, s) {
					t.Error("a reader of a closed socket was woken")
				}
			}
			if in.Unread() != tt.unread {
				t.Errorf("unread is %t", in.Unread())
			}
			if in.Ready() {
				t.Error("a closed socket can be read")
			}
			closeDiscarded(in)
			for _, s := range append(tt.early, tt.late...) {
				if n := s.Buffer.(*buffer).released; n != 1 {
					t.Errorf("buffer of %q released %d times", s.Data, n)
				}
				if s.Rights != nil && s.Rights.(*descs).closed != 1 {
					t.Errorf("rights of %q closed %d times", s.Data, s.Rights.(*descs).closed)
				}
			}
		})
	}
}

// What was placed for a Read, and is discarded, is not waited for.
func TestCloseDiscardsWhatWasPlaced(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 0)
	s := segment("----tail")
	s.Placed = 4
	admitAndPut(t, in, s)
	in.Close()
	admitAndPut(t, in, s)
	in.Unplace([]byte("head")) // must not look for it
	if in.Queued() || !in.Unread() {
		t.Errorf("queued %t, unread %t", in.Queued(), in.Unread())
	}
}
