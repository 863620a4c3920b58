//go:build unix

package apitest

import (
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/testenv"
)

// allocations returns the average number of allocations of f.
func allocations(t *testing.T, f func() error) float64 {
	t.Helper()
	if testenv.Race {
		t.Skip("the race detector allocates, and empties pools")
	}
	return testing.AllocsPerRun(500, func() {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReadAndWriteAllocateNothing(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		data, buf := make([]byte, 64), make([]byte, 64)
		n := allocations(t, func() error {
			if _, err := a.Write(data); err != nil {
				return err
			}
			_, err := b.Read(buf)
			return err
		})
		if n != 0 {
			t.Errorf("%v allocations for Write and Read", n)
		}
		n = allocations(t, func() error {
			if _, err := a.WriteMsg(data); err != nil {
				return err
			}
			_, err := b.ReadMsg(buf)
			return err
		})
		if n != 0 {
			t.Errorf("%v allocations for WriteMsg and ReadMsg without descriptors", n)
		}
		slices := net.Buffers{data[:10], data[10:]}
		n = allocations(t, func() error {
			if _, err := a.WriteBuffers(slices); err != nil {
				return err
			}
			_, err := b.Read(buf)
			return err
		})
		if n != 0 && (tr == afunix.PipeTransport || runtime.GOOS == "linux") { // package unix allocates
			t.Errorf("%v allocations for WriteBuffers and Read", n)
		}
	})
	each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		server, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, client)
		data, buf := make([]byte, 64), make([]byte, 64)
		n := allocations(t, func() error {
			if _, err := client.Write(data); err != nil {
				return err
			}
			_, err := server.Read(buf)
			return err
		})
		if n != 0 {
			t.Errorf("%v allocations for Write and Read between names", n)
		}
	})
}

// Passing descriptors allocates no more than package net does: one object for what was received. A
// file costs what its SyscallConn makes; a Descriptor and a Conn, nothing.
func TestPassingDescriptorsAllocatesNoMoreThanPackageNet(t *testing.T) {
	a, b := pair(t, afunix.KernelTransport, "unix")
	f := testenv.TempFile(t, "")
	theirs := allocations(t, netPass(t, f))
	buf := make([]byte, 64)
	for _, test := range []struct {
		name string
		file afunix.Sendable
		own  float64 // allocations of the Sendable itself
	}{
		{"Descriptor", afunix.Descriptor(f.Fd()), 0},
		{"Conn", a, 0},
		{"File", f, 1},
	} {
		ours := allocations(t, func() error {
			if _, err := a.WriteMsg(buf, test.file); err != nil {
				return err
			}
			m, err := b.ReadMsg(buf)
			if err != nil {
				return err
			}
			return m.Rights.Close()
		})
		t.Logf("%s: %v allocations, of which %v are its own; package net: %v", test.name, ours, test.own, theirs)
		if ours > theirs+test.own {
			t.Errorf("%s: %v allocations; package net has %v", test.name, ours, theirs)
		}
	}
}

// Over pipes a message with a descriptor costs the message, its records, and what was received.
// What makes ends of sockets that move is there for those alone.
func TestPassingADescriptorOverPipesAllocatesLittle(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("see TestPassingDescriptorsAllocatesNoMoreThanPackageNet")
		}
		const most = 5
		a, b := pair(t, tr, network)
		d, buf := afunix.Descriptor(testenv.TempFile(t, "").Fd()), make([]byte, 64)
		n := allocations(t, func() error {
			if _, err := a.WriteMsg(buf, d); err != nil {
				return err
			}
			m, err := b.ReadMsg(buf)
			if err != nil {
				return err
			}
			return m.Rights.Close()
		})
		if n > most {
			t.Errorf("%v allocations, more than %d", n, most)
		}
	})
}

// netPass does the same with package net, in the way that allocates least.
func netPass(t testing.TB, f *os.File) func() error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]*net.UnixConn, 2)
	for i, fd := range p {
		file := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		ends[i] = c.(*net.UnixConn)
	}
	rights := syscall.UnixRights(int(f.Fd()))
	buf, oob := make([]byte, 64), make([]byte, syscall.CmsgSpace(4))
	return func() error {
		if _, _, err := ends[0].WriteMsgUnix(buf, rights, nil); err != nil {
			return err
		}
		_, n, _, _, err := ends[1].ReadMsgUnix(buf, oob)
		if err != nil {
			return err
		}
		messages, err := syscall.ParseSocketControlMessage(oob[:n])
		if err != nil {
			return err
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil {
			return err
		}
		return syscall.Close(fds[0])
	}
}

func BenchmarkPassDescriptor(b *testing.B) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.Run("net", func(b *testing.B) {
		pass := netPass(b, f)
		b.ReportAllocs()
		for b.Loop() {
			if err := pass(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("afunix", func(b *testing.B) {
		x, y, err := afunix.KernelTransport.Pair("unix")
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		defer y.Close()
		d, buf := afunix.Descriptor(f.Fd()), make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.WriteMsg(buf, d); err != nil {
				b.Fatal(err)
			}
			m, err := y.ReadMsg(buf)
			if err != nil {
				b.Fatal(err)
			}
			m.Rights.Close()
		}
	})
}
