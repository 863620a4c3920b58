package sock

import (
	"errors"
	"testing"
)

// A queue that nobody's window has ever let in is refused: it would be memory for nothing.
func TestAQueueThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct {
		segments int
		want     error
	}{{2 * MaxWindow / overhead, nil}, {2*MaxWindow/overhead + maxPieces + 1, errState}} {
		s := InboxState{Arrived: 1 << 40, Window: MaxWindow}
		if _, err := RestoreInbox(Seqpacket, s, make([]Segment, c.segments)); !errors.Is(err, c.want) {
			t.Errorf("%d empty messages: %v, want %v", c.segments, err, c.want)
		}
	}
}
