package main

import (
	"context"
	"errors"
	"io"
	"syscall"

	"afunix"

	"github.com/spf13/cobra"
)

const catHelp = `Connect standard input and output to the socket at ADDR, as nc -U does. With -l,
wait at ADDR for one connection. A socket file that a dead process has left there
is replaced.

When standard input ends, the other side is told so (a half-close). The command
ends when both directions have ended. Descriptors that come are closed: use
"afunix recv" to receive them.`

const catExamples = `  afunix cat -l s >copy.tar &
  tar c . | afunix cat s
  printf 'GET / HTTP/1.0\r\n\r\n' | afunix cat /run/server.sock`

func newCatCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cat [-l] ADDR",
		Short:   "Connect standard input and output to a socket",
		Long:    catHelp,
		Example: catExamples,
		Args:    oneAddress,
	}
	dial := addDialFlags(cmd)
	listen := cmd.Flags().BoolP("listen", "l", false, "listen at ADDR for one connection")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		addr, err := address(args[0])
		if err != nil {
			return err
		}
		open := dial().dial
		if *listen {
			open = dial().acceptOne
		}
		ctx := cmd.Context()
		c, err := open(ctx, addr)
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		return cat(c, cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return cmd
}

func oneAddress(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("ADDR is missing")
	case len(args) > 1:
		return usagef("%q is too much: there is only one ADDR", args[1])
	}
	return nil
}

// acceptOne listens at the address until somebody connects.
func (o dialOptions) acceptOne(ctx context.Context, addr string) (*afunix.Conn, error) {
	lc := afunix.ListenConfig{Transport: o.transport, ReplaceStale: true}
	l, err := lc.Listen(ctx, "unix", addr)
	if err != nil {
		return nil, explain(err, addr)
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	return l.AcceptConn()
}

// cat copies both ways at once, until both have ended or one has failed. In that case the other
// copy goes on until c or in are closed.
func cat(c *afunix.Conn, in io.Reader, out io.Writer) error {
	ended := make(chan error, 2)
	go func() { ended <- upload(c, in) }()
	go func() { ended <- download(c, out) }()
	for range cap(ended) {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// upload ends with a half-close. If the peer has gone by then, that does not matter: it has got
// everything. To another program by a pipe there may be no half-close; then that program decides when
// both directions have ended.
func upload(c *afunix.Conn, in io.Reader) error {
	if _, err := io.Copy(c, in); err != nil {
		return err
	}
	err := c.CloseWrite()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// download closes out, if it can be closed, when the peer has ended. A program that reads from out
// should not have to wait for the other direction.
func download(c *afunix.Conn, out io.Writer) error {
	_, err := io.Copy(out, c)
	if out, ok := out.(io.Closer); ok && err == nil {
		err = out.Close()
	}
	return err
}
