package net_test

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"testing"

	"afunix/dropin/net"
)

// Copies of a connection are read from and closed while others go on reading: every record is read
// by one of them, and nobody but those that were closed is told that they are.
func TestManyCopies(t *testing.T) {
	const records, copies = 2000, 8
	a, b := connPair(t, "unixpacket")
	first, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	var all [copies]*net.UnixConn
	for i := range all {
		c, err := net.FileConn(first)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = guard(t, c)
	}
	first.Close()

	var mu sync.Mutex
	seen := make(map[uint32]int)
	var readers sync.WaitGroup
	for i, c := range all {
		readers.Go(func() {
			buf := make([]byte, 4)
			for n := 0; ; n++ {
				if i > 0 && n == 20*i {
					readers.Go(func() { c.Close() }) // while it reads
				}
				_, err := c.Read(buf)
				if err == io.EOF && i == 0 || errors.Is(err, net.ErrClosed) && i > 0 {
					return
				}
				if err == io.EOF {
					return // the others have read everything
				}
				if err != nil {
					t.Errorf("copy %d: %v", i, err)
					return
				}
				mu.Lock()
				seen[binary.BigEndian.Uint32(buf)]++
				mu.Unlock()
			}
		})
	}
	for i := range uint32(records) {
		if _, err := a.Write(binary.BigEndian.AppendUint32(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	readers.Wait()
	for i := range uint32(records) {
		if seen[i] != 1 {
			t.Errorf("record %d was read %d times", i, seen[i])
		}
	}
}
