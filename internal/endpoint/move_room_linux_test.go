package endpoint_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// crowd fills the window of a connection, and returns how many bytes that are.
func crowd(t *testing.T, c *endpoint.Conn) (filled int) {
	t.Helper()
	defer moreTime(c)
	for stuck := 0; stuck < 3; stuck++ { // a busy machine can be late
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := c.Write(make([]byte, 64<<10))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if n > 0 {
			stuck = -1
		}
		filled += n
	}
	return filled
}

// An end whose message waits for room is what it was: it may be what whoever is to make room waits
// for, as with sendmsg(2).
func TestAnEndThatWaitsForRoomIsRead(t *testing.T) {
	testenv.NeedPipeRights(t)
	for name, itself := range map[string]bool{"over another end": false, "over itself": true} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := moving(sock.Stream)
			carrier, other := pairOf(t, cfg)
			end, peer := carrier, other
			if !itself {
				end, peer = pairOf(t, cfg)
			}
			filled := crowd(t, carrier)
			moved := start(func() (int, error) { return 1, move(carrier, end) })
			for range 20 {
				exchanged := start(func() (int, error) {
					if _, err := peer.Write([]byte("x")); err != nil {
						return 0, err
					}
					return end.Read(make([]byte, 1))
				})
				if o := await(t, exchanged, "a read of the end"); o.n != 1 || o.err != nil {
					t.Fatalf("%d, %v", o.n, o.err)
				}
			}
			if n, _, _ := end.Packets(); n > 100 {
				t.Errorf("%d packets while there was no room", n)
			}
			full(t, other, filled)
			recv(t, other, "m", 1).Close()
			if o := await(t, moved, "the move"); o.err != nil {
				t.Fatal(o.err)
			}
		})
	}
}
