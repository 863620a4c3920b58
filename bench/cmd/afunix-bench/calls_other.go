//go:build !linux

package main

import "fmt"

func printCalls(string) error {
	heading("System calls per operation")
	fmt.Println("  NOT COUNTED: there is no way to count them on this system")
	return nil
}

func runTraced() bool { return false }
