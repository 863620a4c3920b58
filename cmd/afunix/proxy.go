package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"afunix"
	"afunix/cmd/afunix/internal/relay"

	"github.com/spf13/cobra"
)

const proxyHelp = `Listen at LISTEN, and connect each client to TARGET. The relay passes on all that
is sent, both ways: bytes, the boundaries of records, descriptors, and the end of
each direction.

LISTEN and TARGET are addresses as above, or
  unixpacket:ADDR  unixgram:ADDR   a socket of type seqpacket or datagram
  tcp:HOST:PORT                    TCP on this machine
  -                                standard input and output, for one connection

With --mux, "-" is a pair of pipes that carries any number of connections, to
another relay with --mux at the other end. Or CMD is that relay: it is started,
and the pair of pipes is its standard input and output.

If a service manager has passed a listener (LISTEN_FDS), that is taken for LISTEN.

Descriptors that come for what takes none (TCP, pipes, another program on Windows)
end their connection, and records cannot go to a stream. The error says so.
Whoever may connect to the relay speaks to TARGET as the relay's user: that is
only that user, unless --mode says otherwise.`

const proxyExamples = `  afunix proxy -v front.sock /run/back.sock
  afunix proxy tcp:localhost:2375 /run/docker.sock --idle 5m
  afunix proxy unixpacket:front.sock unixpacket:/run/back.sock
  afunix proxy agent.sock --mux -- afunix.exe proxy --mux - //./pipe/openssh-ssh-agent`

type proxyOptions struct {
	listen, target relay.Address
	mux            bool
	command        []string // CMD ARG…
	mode           fs.FileMode
	idle           time.Duration
	verbose        bool
}

func newProxyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: `proxy LISTEN TARGET
  afunix proxy LISTEN --mux -
  afunix proxy LISTEN --mux -- CMD ARG...
  afunix proxy --mux - TARGET`,
		DisableFlagsInUseLine: true,

		Short:   "Connect the clients of one socket to another, losing nothing",
		Long:    proxyHelp,
		Example: proxyExamples,
		Args:    func(cmd *cobra.Command, args []string) error { return nil }, // parse checks them
	}
	transport := addTransport(cmd, transportUsage)
	targetTransport := new(transportFlag)
	cmd.Flags().Var(targetTransport, "target-transport", "what carries them to TARGET (default: as --transport)")
	o := new(proxyOptions)
	mode := cmd.Flags().String("mode", "0600", "permission of the socket file at LISTEN: `BITS` in octal")
	cmd.Flags().BoolVar(&o.mux, "mux", false, "carry all connections over one pair of pipes")
	cmd.Flags().Var((*spanFlag)(&o.idle), "idle", "end when there has been no connection for `TIME` (5m)")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "say who comes and goes")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.parse(beforeDash(cmd, args), args[len(beforeDash(cmd, args)):]); err != nil {
			return err
		}
		bits, err := strconv.ParseUint(*mode, 8, 9)
		if err != nil {
			return usagef("--mode %s: must be octal, as 0660", *mode)
		}
		if bits == 0 { // which ListenConfig takes for what the umask says
			return usagef("--mode %s: lets nobody in", *mode)
		}
		if cmd.Flags().Changed("mode") && !o.listen.Unix() {
			return usagef("--mode: %s has no permission that could be set", o.listen)
		}
		o.mode = fs.FileMode(bits)
		o.listen.Transport, o.target.Transport = transport.Transport, transport.Transport
		if cmd.Flags().Changed("target-transport") {
			o.target.Transport = targetTransport.Transport
		}
		return o.run(cmd.Context(), cmd)
	}
	return cmd
}

// parse takes in the arguments: LISTEN, TARGET and CMD.
func (o *proxyOptions) parse(args, command []string) error {
	o.command = command
	if len(command) > 0 {
		if !o.mux {
			return usagef("CMD needs --mux")
		}
		args = append(args[:len(args):len(args)], "-") // its standard input and output
	}
	switch {
	case len(args) < 2:
		return usagef("LISTEN or TARGET is missing")
	case len(args) > 2:
		return usagef("%q is too much: there are only LISTEN and TARGET", args[2])
	}
	var err error
	if o.listen, err = relay.Parse(args[0]); err != nil {
		return &usageError{err.Error()}
	}
	if o.target, err = relay.Parse(args[1]); err != nil {
		return &usageError{err.Error()}
	}
	return o.check()
}

// check refuses what cannot be joined.
func (o *proxyOptions) check() error {
	l, t := o.listen, o.target
	switch {
	case l.Standard() && t.Standard():
		return usagef(`only one of LISTEN and TARGET can be "-"`)
	case o.mux && !l.Standard() && !t.Standard():
		return usagef(`with --mux one of LISTEN and TARGET is "-"`)
	case o.mux && (l.Datagram() || t.Datagram()):
		return usagef("datagrams have no connections that --mux could carry")
	case !o.mux && l.Records() != t.Records():
		return usagef("%s and %s: the boundaries of records would be lost", l, t)
	case l.Datagram() != t.Datagram() && !o.mux:
		return usagef("%s and %s: datagrams have no connections", l, t)
	}
	return nil
}

func (o *proxyOptions) run(ctx context.Context, cmd *cobra.Command) error {
	var mu sync.Mutex
	server := &relay.Server{
		Idle:    o.idle,
		Verbose: o.verbose,
		Log: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", cmd.CommandPath(), line)
		},
	}
	serve := o.runPlain
	switch {
	case o.mux:
		serve = o.runMux
	case o.listen.Datagram():
		serve = o.runDatagrams
	}
	if err := serve(ctx, server, cmd.ErrOrStderr()); err != nil {
		return err
	}
	return ctx.Err()
}

// runPlain relays each connection over one of its own.
func (o *proxyOptions) runPlain(ctx context.Context, server *relay.Server, _ io.Writer) error {
	source, err := o.source(ctx, server)
	if err != nil {
		return err
	}
	server.Source, server.Target = source, o.dialer()
	server.Single = o.listen.Standard() || o.target.Standard()
	if o.target.Standard() {
		server.Source = &relay.First{Source: source}
	}
	return server.Serve(ctx)
}

// runDatagrams relays what has no connections.
func (o *proxyOptions) runDatagrams(ctx context.Context, server *relay.Server, _ io.Writer) error {
	d := relay.Datagrams{
		Listen: o.listen, Target: o.target, Config: o.config(), Idle: o.idle, Log: server.Log, Verbose: o.verbose,
	}
	if err := d.Bind(ctx); err != nil {
		return o.explain(err)
	}
	o.listening(server, d.Listen)
	return d.Serve(ctx)
}

// explain adds to the error of listening what the user can do about it. Whether the mode fits LISTEN
// is not asked before: a socket that a service manager has passed needs none.
func (o *proxyOptions) explain(err error) error {
	const everybody = 0o222 // a name that is no file has no other mode
	named := o.listen.Unix() && !hasMode(o.listen.Name) && o.mode&everybody != everybody
	if named && errors.Is(err, syscall.EINVAL) && !errors.As(err, new(*os.SyscallError)) { // not of bind
		return fmt.Errorf("%s is no file, and so everybody may reach it: --mode 0666 lets everybody in; "+
			"or LISTEN is a path", o.listen)
	}
	return explain(err, o.listen.Name)
}

// config says how to listen. A name that is no file has no mode: who may connect there is asked
// when somebody does.
func (o *proxyOptions) config() *afunix.ListenConfig {
	lc := &afunix.ListenConfig{Transport: o.listen.Transport, Mode: o.mode, ReplaceStale: true}
	if o.mode&0o077 == 0 && !hasMode(o.listen.Name) && !o.listen.Datagram() {
		lc.Mode, lc.Authorize = 0, ownUser
	}
	return lc
}

// listening says so.
func (o *proxyOptions) listening(server *relay.Server, at relay.Address) {
	if o.verbose {
		server.Log(fmt.Sprintf("listening at %s", at))
	}
}

// source is where clients come from.
func (o *proxyOptions) source(ctx context.Context, server *relay.Server) (relay.Source, error) {
	if o.listen.Standard() {
		return &relay.Only{End: relay.Standard, Name: o.listen.String()}, nil
	}
	l, err := o.listen.Listen(ctx, o.config())
	if err != nil {
		return nil, o.explain(err)
	}
	o.listening(server, l.Address)
	return l, nil
}

// dialer is where clients go.
func (o *proxyOptions) dialer() relay.Target {
	if o.target.Standard() {
		return &relay.Only{End: relay.Standard, Name: o.target.String()}
	}
	return o.target.Dialer(explain)
}
