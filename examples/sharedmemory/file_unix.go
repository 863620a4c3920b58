//go:build unix && !linux

package main

import "os"

// createFile makes a file that has lost its name: these systems have nothing that Go could make
// without one.
func createFile() (*os.File, error) {
	f, err := os.CreateTemp("", "memory")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
