package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"afunix"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

const demoHelp = `Start a second process, hand it descriptors over a socket in a temporary directory, and show what it did with them.

First one message with descriptors of many kinds; then one with as many as fit; then one whose sender is killed before anybody
has read it. The receiver uses each descriptor and reports what it saw, which is compared with what it should have
seen. The exit status is 0 only if all of it was right.`

// demoLimit bounds the demo on one transport.
const demoLimit = time.Minute

func newDemoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Pass descriptors of all kinds to a second process, and check each",
		Long:    demoHelp,
		Example: "  afunix demo\n  afunix demo --transport pipe",
		Args:    noArguments,
	}
	transport := addTransport(cmd, "which transport to show (default: all that this system has)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		chosen, refused := []afunix.Transport{transport.Transport}, []afunix.Transport(nil)
		if transport.Transport == afunix.DefaultTransport {
			chosen, refused = availableTransports()
		}
		if err := demoAll(cmd.Context(), chosen, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		for _, t := range refused {
			fmt.Fprintf(cmd.OutOrStdout(), "%v transport left out: %v\n", t, errRefused)
		}
		return nil
	}
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is too much: there are no arguments", args[0])
	}
	return nil
}

// errRefused is why a transport that this system has passes no descriptors here.
var errRefused = errors.New("it passes no descriptors here: it takes them out of the process at the other end, which Linux allows" +
	" from 6.5 on (SO_PASSPIDFD), and only to who may ptrace that process")

// availableTransports returns those that can pass descriptors on this system, and those that the
// system has and does not let. One that could, but fails, is among the former.
func availableTransports() (available, refused []afunix.Transport) {
	for _, t := range transports {
		switch err := tryTransport(t); {
		case errors.Is(err, errors.ErrUnsupported):
		case errors.Is(err, errRefused):
			refused = append(refused, t)
		default:
			available = append(available, t)
		}
	}
	return available, refused
}

// tryTransport passes a descriptor to this process itself. The error is [errors.ErrUnsupported]
// where there is no such transport, and errRefused where it may carry data alone.
func tryTransport(t afunix.Transport) (err error) {
	a, b, err := t.Pair("unix")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close(), b.Close()) }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := a.SetDeadline(time.Now().Add(demoLimit)); err != nil {
		return err
	}
	if _, err := a.WriteMsg([]byte{0}, null); errors.Is(err, fs.ErrPermission) {
		return errRefused
	} else if err != nil {
		return err
	}
	return nil
}

// demoAll shows one transport after the other, all of them even if one fails.
func demoAll(ctx context.Context, chosen []afunix.Transport, out, errs io.Writer) error {
	if len(chosen) == 0 {
		return errors.New("no transport of this system passes descriptors")
	}
	var failures []error
	for _, t := range chosen {
		if err := demoOne(ctx, t, out, errs); err != nil {
			failures = append(failures, fmt.Errorf("%v transport: %w", t, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// demoOne shows one transport. Whatever happens, it leaves no process and no file behind.
func demoOne(ctx context.Context, t afunix.Transport, out, errs io.Writer) (err error) {
	if err := tryTransport(t); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("not done within %v", demoLimit))
	defer cancel()
	dir, err := os.MkdirTemp("", "afunix-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeDir(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d := &demo{transport: t, dir: dir, self: self, errs: errs}
	began := time.Now()
	err = d.run(ctx)
	took := time.Since(began)
	if len(d.lines) > 0 {
		_, printErr := io.WriteString(out, d.report(took))
		err = errors.Join(err, printErr)
	}
	return err
}

// removeDir removes a directory of files. (os.RemoveAll would do, but not on Wine 8, which lacks a call that it needs.) On Windows a
// file may stay for a moment after its process has ended, so it tries for a second.
func removeDir(dir string) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := tryRemoveDir(dir)
		if err == nil || time.Since(began) > time.Second {
			return err
		}
	}
}

func tryRemoveDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(dir)
}

// A demo is a run over one transport.
type demo struct {
	transport afunix.Transport
	dir       string
	self      string // this program, which is the other processes, too
	errs      io.Writer
	talk      *talk // with the receiver

	lines       []line
	messages    int           // that had descriptors
	descriptors int           // in those
	sending     time.Duration // in WriteMsg, for those
}

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
	t := newTable()
	t.SetTitle("%v transport", d.transport)
	t.AppendHeader(table.Row{"descriptor", "kind", "what the receiver did with it", "result"})
	for _, l := range d.lines {
		t.AppendRow(table.Row{l.what, orDash(l.seen.Kind), orDash(l.seen.Did), l.result()})
	}
	return fmt.Sprintf("%s\n%s in %s, sent in %v; with the answers, %s in %v%s\n\n", t.Render(),
		plural(d.descriptors, "descriptor"), plural(d.messages, "message"), d.sending.Round(time.Microsecond),
		plural(d.talk.sent+d.talk.received+1, "message"), took.Round(time.Microsecond), d.packets())
}

// packets tells how many packets the connection to the receiver took, where there are any.
func (d *demo) packets() string {
	sent, received, ok := d.talk.conn.Packets()
	if !ok {
		return ""
	}
	return fmt.Sprintf("; %s to the receiver, %d back, acknowledgements and credit included", plural(int(sent), "packet"), received)
}

func (l line) result() string {
	switch {
	case l.leftOut:
		return "left out"
	case l.problem != nil:
		return "FAILED: " + printable(l.problem.Error())
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
