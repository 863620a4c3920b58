package upgrade

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"afunix"
)

// A listener that had moved to a successor which then fails is made anew, but not where another
// process listens by now.
func TestRestoreTakesNobodyElsesPath(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		if transport == afunix.KernelTransport {
			t.Skip("its listeners do not move")
		}
		r := newRig(t, transport)
		path := r.cfg.Address + ".web"
		c := r.call(t)
		say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady, Keys: []key{r.l.key}})
		_, moved, err := c.receive()
		if err != nil {
			t.Fatal(err)
		}
		defer moved.Close() // it hangs
		say(t, c, typeCommit)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		lc := afunix.ListenConfig{Transport: transport}
		other, err := lc.Listen(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		c.conn.Close()
		if err := <-r.failed; errors.Is(err, ErrUnreachable) { // which may be noticed first
			r.expectFailure(t, "is lost")
		} else if !strings.Contains(err.Error(), "is lost") {
			t.Error(err)
		}
		go func() {
			for { // one of them only sees whether somebody is here
				c, err := other.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, "other")
				c.Close()
			}
		}()
		d := afunix.Dialer{Transport: transport, Timeout: patience}
		client, err := d.DialContext(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		client.SetDeadline(time.Now().Add(patience))
		if text, err := io.ReadAll(client); string(text) != "other" || err != nil {
			t.Errorf("it says %q, %v", text, err)
		}
	})
}
