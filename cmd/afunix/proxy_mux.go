package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"afunix/cmd/afunix/internal/mux"
	"afunix/cmd/afunix/internal/relay"
)

// farewell bounds how long CMD may take to end when its standard input has ended.
const farewell = 5 * time.Second

// silence is how long the other side of the pipes may say nothing without a word to the user.
const silence = 3 * time.Second

// runMux relays over a pair of pipes: the standard ones, or those of CMD.
func (o *proxyOptions) runMux(ctx context.Context, server *relay.Server, errs io.Writer) (err error) {
	in, out := io.ReadCloser(os.Stdin), io.WriteCloser(os.Stdout)
	if len(o.command) > 0 {
		child, e := startRelay(o.command, errs)
		if e != nil {
			return e
		}
		defer func() { err = child.end(err) }()
		in, out = child.out, child.in
	}
	role := mux.Listens
	if o.listen.Standard() {
		role = mux.Dials
	}
	stop := context.AfterFunc(ctx, func() { out.Close(); in.Close() })
	session, err := begin(in, out, role, silence, server.Log)
	stop()
	if err != nil {
		return err
	}
	defer session.Close()
	if role == mux.Dials {
		server.Source = &relay.MuxSource{Session: session, Records: o.target.Records(), Log: server.Log}
		server.Target = o.target.Dialer(explain)
		return server.Serve(ctx)
	}
	source, err := o.source(ctx, server)
	if err != nil {
		return err
	}
	listener := &relay.MuxListener{Source: source, Session: session}
	go listener.Watch()
	server.Source = listener
	server.Target = &relay.MuxTarget{Session: session, Records: o.listen.Records()}
	return server.Serve(ctx)
}

// begin begins a session with the other side of a pair of pipes. Once it has been silent for that
// long, the user is told what is waited for.
func begin(in io.ReadCloser, out io.WriteCloser, role mux.Role, silence time.Duration,
	log func(string)) (*mux.Session, error) {
	notice := time.AfterFunc(silence, func() {
		log("waiting: the other side of the pipes has not said hello (is it afunix proxy --mux?)")
	})
	defer notice.Stop()
	return mux.New(in, out, role)
}

// A child is CMD, with the pipes that are its standard input and output.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

func startRelay(command []string, errs io.Writer) (*child, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd, in, out}, nil
}

// end waits for the end of CMD, whose pipes are closed, and kills it if need be. The error is err,
// and how CMD has ended if that tells more.
func (c *child) end(err error) error {
	c.in.Close()
	kill := time.AfterFunc(farewell, func() { _ = c.cmd.Process.Kill() }) // fails if it has ended
	defer kill.Stop()
	var exit *exec.ExitError
	if e := c.cmd.Wait(); err != nil && errors.As(e, &exit) {
		return fmt.Errorf("%w (%s: %w)", err, c.cmd.Path, exit)
	}
	return err
}
