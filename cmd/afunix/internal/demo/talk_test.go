package demo

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds every wait that should not last.
const patience = 30 * time.Second

// pair returns two connected sockets.
func pair(t *testing.T) (a, b *afunix.Conn) {
	t.Helper()
	a, b, err := afunix.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*afunix.Conn{a, b} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// An answer that the receiver could not have given ends the talk.
func TestAnswersAreNotBelieved(t *testing.T) {
	for _, test := range []struct{ what, said, want string }{
		{"too few observations", `{"Seen":[]}` + "\n", "the receiver reports 0 observations, not 1"},
		{"too many observations", `{"Seen":[{},{}]}` + "\n", "the receiver reports 2 observations, not 1"},
		{"no JSON", "got it\n", "invalid character"},
		{"no end of the line", strings.Repeat("x", maxLine+1), "a line is too long"},
		{"half a line", `{"Seen":`, io.ErrUnexpectedEOF.Error()},
		{"nothing", "", "no answer from the receiver: EOF"},
	} {
		t.Run(test.what, func(t *testing.T) {
			a, b := pair(t)
			sent := make(chan error, 1)
			go func() { sent <- errors.Join(say(b, test.said), b.Close()) }()
			_, err := (&talk{conn: a}).answer(1)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// say sends a text with a descriptor, which nobody has asked for.
func say(c *afunix.Conn, text string) error {
	if text == "" {
		return nil
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = c.WriteMsg([]byte(text), null)
	if errors.Is(err, os.ErrPermission) { // the pipe transport, where it carries data alone
		_, err = io.WriteString(c, text)
	}
	return err
}

// A receiver that is asked for what it cannot do says so.
func TestReceiverIsAskedTheWrongThing(t *testing.T) {
	a, b := pair(t)
	ended := make(chan error, 1)
	go func() { ended <- NewReceiver(b, afunix.DefaultTransport).Run(context.Background()) }()
	demo := &talk{conn: a}
	if err := demo.send(request{Do: doInherit}); err != nil {
		t.Fatal(err)
	}
	seen, err := demo.answer(1)
	if err != nil || seen[0].Problem != "not listening" {
		t.Errorf("%v, %v", seen, err)
	}
	if err := demo.send(request{Do: "dance"}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Error() != `the demo asks for "dance"` {
		t.Errorf("%v", err)
	}
}
