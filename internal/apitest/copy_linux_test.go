package apitest

import (
	"bytes"
	"io"
	"os"
	"testing"

	"afunix"
)

// Between a stream of the kernel transport and a TCP connection the bytes do not pass through this
// process.
func TestCopySplices(t *testing.T) {
	const size = 16 << 20
	for _, into := range []string{"TCP", "afunix"} {
		a, aFar := pair(t, afunix.KernelTransport, "unix")
		b, bFar := tcpPair(t)
		var src, dst io.ReadWriteCloser = a, b
		var from, to io.ReadWriteCloser = aFar, bFar
		if into == "afunix" {
			src, dst, from, to = b, a, bFar, aFar
		}
		go func() { from.Write(make([]byte, size)); from.Close() }()
		read := make(chan int, 1)
		go func() {
			buf, n := make([]byte, 1<<20), 0
			for {
				m, err := to.Read(buf)
				if n += m; err != nil {
					break
				}
			}
			read <- n
		}()
		before := bytesRead(t)
		if n, err := afunix.Copy(dst, src); n != size || err != nil {
			t.Fatalf("into %s: %d, %v", into, n, err)
		}
		dst.Close()
		n := <-read
		// What the other end reads is counted; what is spliced is not.
		if more := bytesRead(t) - before; n != size || more > size+size/4 {
			t.Errorf("into %s: %d came, and %d bytes were read for it", into, n, more)
		}
	}
}

// bytesRead returns how many bytes this process has read by read(2) and its like.
func bytesRead(t *testing.T) (n int) {
	t.Helper()
	io, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range bytes.TrimPrefix(bytes.Fields(io)[1], []byte("rchar: ")) {
		n = n*10 + int(c-'0')
	}
	return n
}
