package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"afunix"

	"github.com/spf13/cobra"
)

const sendHelp = `Connect to the socket at ADDR and send one message with the THINGs. Each THING is
opened here, and handed over open.

A THING is one of
  PATH             a file or directory, opened for reading; ./fd:3 for a file
                   whose name looks like one of the following
  fd:N             descriptor N that this process has inherited; on Windows 0,
                   1, 2 or the value of a handle
  tcp:HOST:PORT    a new TCP connection
  tcp-listen:ADDR  a TCP listener, for instance tcp-listen:127.0.0.1:8080 or
                   tcp-listen::0
  udp:ADDR         a UDP socket bound to ADDR

When the command has ended, the message and the things in it are on their way,
even if nobody has looked at them yet.`

const sendExamples = `  afunix send s report.pdf
  afunix send --wait 10s s report.pdf             s need not be there yet
  afunix send s tcp-listen::8080 udp::514 --data 'the sockets'
  afunix send s fd:3 3>>events.log
  date | afunix send s fd:0                       the reading end of the pipe itself
  afunix send s fd:3 --data - 3<key <message.txt`

// noData is what carries descriptors when there is nothing to say: on a stream they need at least
// one byte.
const noData = "\x00"

type sendOptions struct {
	addr   string
	things []string
	data   string
	dial   dialOptions
}

func newSendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "send ADDR THING...",
		Short:   "Send open files, sockets, listeners",
		Long:    sendHelp,
		Example: sendExamples,
		Args:    sendArgs,
	}
	dial := addDialFlags(cmd)
	data := cmd.Flags().String("data", "", "send the `TEXT`, or with - the standard input (default: a NUL byte)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		addr, err := address(args[0])
		if err != nil {
			return err
		}
		return send(cmd.Context(), sendOptions{addr, args[1:], *data, dial()}, cmd.InOrStdin())
	}
	return cmd
}

func sendArgs(_ *cobra.Command, args []string) error {
	switch things := len(args) - 1; {
	case things < 0:
		return usagef("ADDR and THING are missing")
	case things == 0:
		return usagef("a THING to send to %s is missing", args[0])
	case things > afunix.MaxRights:
		return usagef("%d THINGs are too many for a message, which has at most %d", things, afunix.MaxRights)
	}
	return nil
}

// send opens the things before it connects: a receiver should not hear of those that cannot be
// opened.
func send(ctx context.Context, o sendOptions, in io.Reader) error {
	things, err := openThings(ctx, o.things)
	if err != nil {
		return err
	}
	defer closeThings(things)
	data, err := payload(o.data, in)
	if err != nil {
		return err
	}
	c, err := o.dial.dial(ctx, o.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_, err = c.WriteMsg(data, sendables(things)...)
	return naming(err, o.things)
}

// payload returns what --data asks for.
func payload(text string, in io.Reader) ([]byte, error) {
	switch text {
	case "":
		return []byte(noData), nil
	case "-":
		data, err := io.ReadAll(in)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the data: %w", err)
		case len(data) == 0:
			return nil, errors.New("the data: standard input is empty, " +
				"and descriptors need at least one byte to go with")
		}
		return data, nil
	}
	return []byte(text), nil
}

func sendables(things []thing) []afunix.Sendable {
	files := make([]afunix.Sendable, len(things))
	for i, t := range things {
		files[i] = t
	}
	return files
}

// naming puts in front of an error that is about one of the things which one that is.
func naming(err error, things []string) error {
	var which *afunix.RightsError
	if errors.As(err, &which) && which.Index < len(things) {
		return fmt.Errorf("%s: %w", things[which.Index], err)
	}
	return err
}
