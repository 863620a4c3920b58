package main

import (
	"fmt"

	"afunix"
	"afunix/cmd/afunix/internal/demo"

	"github.com/spf13/cobra"
)

const demoHelp = `Start a second process, hand it descriptors over a socket in a temporary
directory, and show what the process did with them.

The first message has descriptors of many kinds, the second has as many
descriptors as fit, and the sender of the third is killed before anybody has
read that message. The receiver uses each descriptor and reports what it saw.
The report is compared with what the receiver should have seen. The exit status
is 0 only if all of it was right.`

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
			chosen, refused = demo.Available(transports)
		}
		if err := demo.Run(cmd.Context(), chosen, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		for _, t := range refused {
			fmt.Fprintf(cmd.OutOrStdout(), "%v transport left out: %v\n", t, demo.ErrRefused)
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

// newDemoReceiverCommand is the demonstration's second process.
func newDemoReceiverCommand() *cobra.Command {
	cmd := &cobra.Command{Use: demo.ReceiverCommand + " ADDR", Hidden: true, Args: oneAddress}
	transport := addTransport(cmd, transportUsage)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := dialOptions{transport: transport.Transport}.dial(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		return demo.NewReceiver(c, transport.Transport).Run(cmd.Context())
	}
	return cmd
}

// newDemoSenderCommand is the demonstration's third process.
func newDemoSenderCommand() *cobra.Command {
	cmd := &cobra.Command{Use: demo.SenderCommand + " ADDR PATH", Hidden: true, Args: cobra.ExactArgs(2)}
	transport := addTransport(cmd, transportUsage)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := dialOptions{transport: transport.Transport}.dial(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		return demo.Send(c, args[1], cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return cmd
}
