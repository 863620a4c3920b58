// Unsupported asks for what a system without descriptor passing cannot give, and fails if an answer
// is not errors.ErrUnsupported.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"afunix"
	"afunix/upgrade"
)

func main() {
	failed := false
	for name, try := range map[string]func() error{
		"Dial":         func() error { _, err := afunix.Dial("unix", "/socket"); return err },
		"Listen":       func() error { _, err := afunix.Listen("unix", "/socket"); return err },
		"ListenPacket": func() error { _, err := afunix.ListenPacket("unixgram", "/socket"); return err },
		"Pair":         func() error { _, _, err := afunix.Pair("unix"); return err },
		"a pipe": func() error {
			_, err := (&afunix.Dialer{Transport: afunix.PipeTransport}).DialContext(context.Background(), "unix", "/socket")
			return err
		},
		"upgrade": func() error {
			_, err := upgrade.New(context.Background(), upgrade.Config{Address: "/control"})
			return err
		},
	} {
		err := try()
		if !errors.Is(err, errors.ErrUnsupported) {
			fmt.Printf("%s: %v\n", name, err)
			failed = true
		}
		if _, ok := err.(*net.OpError); !ok && name != "upgrade" {
			fmt.Printf("%s: %T\n", name, err)
			failed = true
		}
	}
	if _, err := afunix.Inherited("nothing"); err == nil {
		fmt.Println("something is inherited")
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}
