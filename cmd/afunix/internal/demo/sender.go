package demo

import (
	"fmt"
	"io"
	"os"
	"time"

	"afunix"
)

// Send is the third process: it sends the open file at path over c, writes to out how long that
// took, and is there to be killed. If nobody does so, it returns when in ends. The caller closes c.
func Send(c *afunix.Conn, path string, in io.Reader, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	began := time.Now()
	if _, err := c.WriteMsg([]byte{0}, f); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, time.Since(began)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
