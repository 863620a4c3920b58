//go:build !linux

package upgrade

import "os/exec"

// asSibling returns what waits for the process of cmd. Only Linux has a service manager that needs
// more.
func asSibling(cmd *exec.Cmd) (wait func() error) { return cmd.Wait }
