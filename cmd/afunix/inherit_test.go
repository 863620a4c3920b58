package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

// inheritor is a program that recv starts. It reads all files that it has inherited, or accepts a
// connection from each listener, and prints what it has read.
func inheritor(what string) error {
	files, err := inheritedFiles()
	if err != nil {
		return err
	}
	for i, f := range files {
		text, err := readOne(what, f)
		if err != nil {
			return fmt.Errorf("descriptor %d: %w", i, err)
		}
		fmt.Printf("descriptor %d: %s\n", i, text)
	}
	return nil
}

func readOne(what string, f *os.File) ([]byte, error) {
	defer f.Close()
	switch what {
	case "read":
		return io.ReadAll(f)
	case "accept":
		l, err := net.FileListener(f)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return io.ReadAll(c)
	}
	return nil, fmt.Errorf("cannot %s", what)
}
