// Command typecheck SYSTEM… type-checks all packages of the module in this folder, and their tests,
// as they are for each of these systems. Nothing is compiled.
package main

import (
	"fmt"
	"os"
	"runtime"

	"afunix/internal/platforms"
)

func main() {
	status := 0
	for _, system := range os.Args[1:] {
		if err := (platforms.Platform{System: system, Arch: runtime.GOARCH}).CheckTests("./..."); err != nil {
			fmt.Fprintln(os.Stderr, "typecheck:", err)
			status = 1
		}
	}
	os.Exit(status)
}
