package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// newDemoSenderCommand is the third process of the demo: it sends the open file at PATH, says how long that took, and is there
// to be killed. If nobody does so, it ends when its standard input does.
func newDemoSenderCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo-sender ADDR PATH", Hidden: true, Args: cobra.ExactArgs(2)}
	transport := addTransport(cmd, transportUsage)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer f.Close()
		c, err := dialOptions{transport: transport.Transport}.dial(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		began := time.Now()
		if _, err := c.WriteMsg([]byte(noData), f); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), time.Since(began))
		_, err = io.Copy(io.Discard, cmd.InOrStdin())
		return err
	}
	return cmd
}
