package demo

import (
	"errors"
	"fmt"
	"time"

	"afunix/cmd/afunix/internal/show"

	"github.com/jedib0t/go-pretty/v6/table"
)

// A line of the demo's table is about one descriptor, or about many of a kind.
type line struct {
	what    string
	seen    observation
	problem error // nil if the receiver saw, and the demo got back, what is right
	leftOut bool
}

// check makes the line for what the receiver saw, which should have been want.
func check(what string, seen observation, want string) line {
	l := line{what: what, seen: seen}
	switch {
	case seen.Problem != "":
		l.problem = errors.New(seen.Problem)
	case seen.Saw != want:
		l.problem = fmt.Errorf("it saw %.60q and should have seen %.60q", seen.Saw, want)
	}
	return l
}

// report is the table, and what there is to say below it.
func (d *demo) report(took time.Duration) string {
	t := show.Table()
	t.SetTitle("%v transport", d.transport)
	t.AppendHeader(table.Row{"descriptor", "kind", "what the receiver did with it", "result"})
	for _, l := range d.lines {
		t.AppendRow(table.Row{l.what, show.OrDash(l.seen.Kind), show.OrDash(l.seen.Did), l.result()})
	}
	return fmt.Sprintf("%s\n%s in %s, sent in %v; with the answers, %s in %v%s\n\n", t.Render(),
		show.Plural(d.descriptors, "descriptor"), show.Plural(d.messages, "message"), d.sending.Round(time.Microsecond),
		show.Plural(d.talk.sent+d.talk.received+1, "message"), took.Round(time.Microsecond), d.packets())
}

// packets tells how many packets the connection to the receiver took, where there are any.
func (d *demo) packets() string {
	sent, received, ok := d.talk.conn.Packets()
	if !ok {
		return ""
	}
	return fmt.Sprintf("; %s to the receiver, %d back, acknowledgements and credit included",
		show.Plural(int(sent), "packet"), received)
}

func (l line) result() string {
	switch {
	case l.leftOut:
		return "left out"
	case l.problem != nil:
		return "FAILED: " + show.Printable(l.problem.Error())
	}
	return "ok"
}

// verdict is an error if one of the lines is wrong.
func (d *demo) verdict() error {
	failed := 0
	for _, l := range d.lines {
		if l.problem != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d lines failed", failed, len(d.lines))
	}
	return nil
}
