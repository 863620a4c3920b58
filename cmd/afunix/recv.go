package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"afunix"
	"afunix/cmd/afunix/internal/show"

	"github.com/spf13/cobra"
)

const recvHelp = `Listen at ADDR until N messages have come, and print what is in them. Or save
what is in them, or start a command with it. A socket file that a dead process
has left at ADDR is replaced.

A message begins with descriptors, or with a connection. It ends where the next
descriptors come, or with the connection. (Data that came right before the next
descriptors may be counted with these: a stream has no other boundaries.)

With --save, what can be read from the files and pipes goes to new files in DIR.
A file is read from where its sender has got to, a pipe up to its end. A file in
DIR gets the name of its original, and never replaces another.

With CMD, the command is started when all messages are there, and its exit
status is that of recv. The command has inherited the descriptors of all
messages in their order.
  Unix     from 3 on, with LISTEN_FDS (their number) and LISTEN_PID as in
           sd_listen_fds(3)
  Windows  AFUNIX_HANDLES has the values of the handles: decimal numbers,
           separated by commas

Descriptors are left as they came. Whether calls wait (O_NONBLOCK) is a property
of the open file, which the sender shares and may rely on: sockets and pipes of
programs in Go do not wait. A CMD that expects its descriptors to wait, as cat
does, needs --blocking. The sender must not use the descriptors any more then.`

const recvExamples = `  afunix recv s
  afunix recv s --count 3 --save inbox
  afunix recv s -- sh -c 'cat <&3'
  afunix recv s -- ./server                     a server that knows LISTEN_FDS (socket activation)`

// maxData bounds what one message may have beside its descriptors, all of which is kept in memory.
const maxData = 64 << 20

type recvOptions struct {
	addr      string
	count     int
	dir       string   // of --save
	command   []string // CMD ARG…
	blocking  bool     // … whose descriptors are to wait
	transport afunix.Transport
}

func newRecvCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "recv ADDR [flags] [-- CMD ARG...]",
		Short:   "Receive them; print, save or give them to a command",
		Long:    recvHelp,
		Example: recvExamples,
		Args:    func(cmd *cobra.Command, args []string) error { return oneAddress(cmd, beforeDash(cmd, args)) },

		DisableFlagsInUseLine: true,
	}
	o := new(recvOptions)
	transport := addTransport(cmd, transportUsage)
	cmd.Flags().IntVarP(&o.count, "count", "n", 1, "receive `N` messages")
	cmd.Flags().StringVar(&o.dir, "save", "", "save the contents in `DIR`, which is made if it does not exist")
	if err := cmd.MarkFlagDirname("save"); err != nil {
		panic(err) // the flag is there: see above
	}
	blocking := addBlocking(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.addr, err = address(args[0]); err != nil {
			return err
		}
		o.transport, o.blocking = transport.Transport, *blocking
		o.command = args[len(beforeDash(cmd, args)):]
		if err := o.check(cmd.ArgsLenAtDash() >= 0); err != nil {
			return err
		}
		return recv(cmd.Context(), *o, streams{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
	}
	return cmd
}

// beforeDash returns the arguments before "--".
func beforeDash(cmd *cobra.Command, args []string) []string {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return args[:n]
	}
	return args
}

func (o recvOptions) check(dash bool) error {
	switch {
	case o.count < 1:
		return usagef("--count %d: must be at least 1", o.count)
	case dash && len(o.command) == 0:
		return usagef("CMD is missing after --")
	case dash && o.dir != "":
		return usagef("either --save or CMD, not both")
	case !dash && o.blocking:
		return usagef("--blocking is for CMD, which is missing")
	}
	return nil
}

// The streams of a command.
type streams struct {
	in        io.Reader
	out, errs io.Writer
}

// A sink is what becomes of the messages. It owns their Rights.
type sink interface {
	put(ctx context.Context, number int, m *message) error
	finish(ctx context.Context) error
}

func recv(ctx context.Context, o recvOptions, std streams) error {
	s, err := o.sink(std)
	if err != nil {
		return err
	}
	if err := o.receive(ctx, s); err != nil {
		return err
	}
	return s.finish(ctx)
}

// sink makes what is asked for; what can fail there should do so before anybody has sent something.
func (o recvOptions) sink(std streams) (sink, error) {
	switch {
	case len(o.command) > 0:
		path, err := exec.LookPath(o.command[0])
		if err != nil {
			return nil, err
		}
		return &starter{path: path, args: o.command, blocking: o.blocking, std: std}, nil
	case o.dir != "":
		return newSaver(o.dir, std)
	}
	return &printer{std.out}, nil
}

// listen lets in the user of this process, and root.
func (o recvOptions) listen(ctx context.Context) (*afunix.Listener, error) {
	lc := afunix.ListenConfig{Transport: o.transport, ReplaceStale: true}
	if hasMode(o.addr) {
		lc.Mode = 0o600
	} else {
		lc.Authorize = ownUser
	}
	return lc.Listen(ctx, "unix", o.addr)
}

// ownUser refuses everybody but the user of this process, and root.
func ownUser(peer afunix.Credentials) error {
	if peer.SameUser() || peer.UID == 0 {
		return nil
	}
	return fmt.Errorf("user %d is not the user of this process", peer.UID)
}

// receive takes in the messages of one connection after the other.
func (o recvOptions) receive(ctx context.Context, s sink) error {
	l, err := o.listen(ctx)
	if err != nil {
		return explain(err, o.addr)
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for got := 0; got < o.count; {
		c, err := l.AcceptConn()
		if err != nil {
			return err
		}
		n, err := o.receiveFrom(ctx, c, s, got)
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// receiveFrom takes in the messages of one connection, of which got have come before, and returns
// how many there were.
func (o recvOptions) receiveFrom(ctx context.Context, c *afunix.Conn, s sink, got int) (n int, err error) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := &incoming{conn: c, buf: make([]byte, 64<<10)}
	defer in.close()
	for got+n < o.count {
		m, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
		n++
		if err := s.put(ctx, got+n, m); err != nil {
			return n, err
		}
	}
	return n, nil
}

// A message is one of recv: descriptors, and the data up to the next ones.
type message struct {
	data   []byte
	rights afunix.Rights
}

// incoming makes messages of what a stream delivers.
type incoming struct {
	conn  *afunix.Conn
	buf   []byte
	begun *message // by descriptors that ended the one before
}

// next returns the next message, of which the caller owns the Rights. The end of the connection is
// io.EOF.
func (in *incoming) next() (*message, error) {
	m := in.begun
	in.begun = nil
	for {
		piece, err := in.conn.ReadMsg(in.buf)
		switch {
		case err == io.EOF && m != nil:
			return m, nil
		case err != nil:
			m.close()
			return nil, err
		case m == nil:
			m = &message{bytes.Clone(piece.Data), piece.Rights}
		case piece.Rights.Len() > 0:
			in.begun = &message{bytes.Clone(piece.Data), piece.Rights}
			return m, nil
		case len(m.data)+len(piece.Data) > maxData:
			m.close()
			return nil, fmt.Errorf("a message has more than %d bytes of data", maxData)
		default:
			m.data = append(m.data, piece.Data...)
		}
	}
}

// close closes the descriptors of a message that has begun, but which nobody wants.
func (in *incoming) close() { in.begun.close() }

func (m *message) close() {
	if m != nil {
		m.rights.Close()
	}
}

// heading describes a message in a line.
func (m *message) heading(number int) string {
	return fmt.Sprintf("message %d: %s, %s", number, describeData(m.data), show.Plural(m.rights.Len(), "descriptor"))
}

// describeData shows the beginning of the data, in a form that does a terminal no harm.
func describeData(data []byte) string {
	const shown = 200
	switch {
	case string(data) == noData:
		return "no data"
	case len(data) > shown:
		return fmt.Sprintf("%s %q...", show.Plural(len(data), "byte"), data[:shown])
	}
	return fmt.Sprintf("%s %q", show.Plural(len(data), "byte"), data)
}

// A printer shows what came, and closes it.
type printer struct{ out io.Writer }

func (p *printer) put(_ context.Context, number int, m *message) error {
	arrivals := takeAll(m.rights)
	defer closeAll(arrivals)
	_, err := io.WriteString(p.out, m.heading(number)+"\n"+arrivalTable(arrivals, nil))
	return err
}

func (p *printer) finish(context.Context) error { return nil }

// A starter collects the descriptors for a command, and starts that.
type starter struct {
	path     string
	args     []string
	blocking bool
	std      streams
	rights   []afunix.Rights
}

func (s *starter) put(_ context.Context, number int, m *message) error {
	s.rights = append(s.rights, m.rights)
	_, err := fmt.Fprintln(s.std.errs, m.heading(number)) // standard output is the command's
	return err
}

// finish gives the descriptors to the command and waits for the command's end. If recv has been
// interrupted by then, the command is not wanted.
func (s *starter) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd, release, err := inheriting(s.path, s.args, s.rights, s.blocking)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.std.in, s.std.out, s.std.errs
	err = cmd.Start()
	release()
	if err != nil {
		return err
	}
	stop := relaySignals(cmd.Process)
	defer stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(statusOf(exit.ProcessState))
	}
	return err
}
