package conformance

import (
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"

	"afunix"
)

func TestRow001(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w)
		m := e.recv(b, 9, "x", 1)
		if m.Truncated {
			e.Error("truncated")
		}
		w.works(m.Rights, 0)
		w.released()
	})
}

func TestRow002(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		f := e.file("0123456789")
		e.send(a, "x", f)
		r := e.recv(b, 9, "x", 1).Rights
		second(io.ReadFull(f, make([]byte, 3))) // the copy goes on from there
		if got := e.textOf(r, 0); got != "3456789" {
			e.Errorf("the copy reads %q", got)
		}
		if at, err := f.Seek(0, io.SeekCurrent); at != 10 || err != nil {
			e.Errorf("the original is at %d, %v", at, err)
		}
	})
}

func TestRow003(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w, w.w)
		r := e.recv(b, 9, "x", 2).Rights
		for i := range 2 {
			d, err := r.Descriptor(i)
			e.check(err)
			if inherited(d) {
				e.Errorf("descriptor %d is inherited by child processes", i)
			}
			closeDescriptor(d)
		}
	})
}

func TestRow005(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		var files []afunix.Sendable
		for i := range 5 {
			files = append(files, e.file(strconv.Itoa(i)))
		}
		e.send(a, "x", files...)
		r := e.recv(b, 9, "x", 5).Rights
		for i := range 5 {
			if got := e.textOf(r, i); got != strconv.Itoa(i) {
				e.Errorf("descriptor %d is file %s", i, got)
			}
		}
	})
}

func TestRow007(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		files := make([]afunix.Sendable, afunix.MaxRights+1)
		for i := range files {
			files[i] = w.w
		}
		e.fails(second(a.WriteMsg([]byte("x"), files...)), syscall.EINVAL)
		e.blocksReading(b) // nothing has been queued
		e.send(a, "y", files[1:]...)
		e.check(e.recv(b, 9, "y", afunix.MaxRights).Rights.Close())
		w.released()
	})
}

func TestRow008(t *testing.T) {
	notObservable(t, "a message has one list of files, which the library puts into one control header")
}

func TestRow010(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		shut := e.file("")
		shut.Close()
		e.fails(second(a.WriteMsg([]byte("x"), shut)), syscall.EBADF)
		e.fails(second(a.WriteMsg([]byte("x"), w.w, shut)), syscall.EBADF)
		e.blocksReading(b)
		w.released()
	})
}

func TestRow011(t *testing.T) {
	notObservable(t, "control headers are made by the library")
}

func TestRow013(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		for name, thing := range specials(e) {
			e.send(a, "x", thing.d)
			r := e.recv(b, 9, "x", 1).Rights
			d, err := r.Descriptor(0)
			e.check(err)
			if err := thing.works(d); err != nil {
				e.Errorf("%s: %v", name, err)
			}
			closeDescriptor(d)
		}
	})
}

// A special is a descriptor that is no plain file, and a test of its copy.
type special struct {
	d     afunix.Sendable
	works func(afunix.Descriptor) error
}

// A socket of this API is bound or connected; so the sender is connected here.
func TestRow014(t *testing.T) {
	eachPassing(t, "d", func(e *env) {
		path := e.path()
		server := e.listenPacket(path)
		client := e.dial(path)
		w := e.witness()
		e.send(client, "x", w.w)
		if m := e.recv(server, 9, "x", 1); m.From != nil {
			e.Errorf("from %v", m.From)
		}
	})
}

// The kernel would close the descriptors and say nothing: the API says EINVAL.
func TestRow015(t *testing.T) {
	each(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.fails(second(a.WriteMsg(nil, w.w)), syscall.EINVAL)
		w.released()
		e.blocksReading(b)
		e.send(a, "later")
		e.recv(b, 9, "later", 0)
	})
}

func TestRow017(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w)
		e.send(a, "y")
		m := e.recv(b, 0, "", 1)
		if m.Truncated == e.stream() {
			e.Errorf("truncated: %t", m.Truncated)
		}
		if e.stream() {
			e.recv(b, 1, "x", 0)
		}
		e.recv(b, 9, "y", 0)
	})
}

func TestRow018(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "x", w.w)
		e.read(b, 9, "x")
		w.released()
	})
}

func TestRow019(t *testing.T) {
	notObservable(t, "ReadMsg always has room for all descriptors, and Read (row 18) for none")
}

func TestRow021(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		e.send(a, "four")
		e.send(a, "no", w.w)
		e.recv(b, 4, "four", 0)
		e.recv(b, 9, "no", 1)
	})
}

func TestRow022(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		e.passCredentials(b)
		w := e.witness()
		e.send(a, "x", w.w)
		if m := e.recv(b, 9, "x", 1); m.Credentials == nil || m.Credentials.PID != os.Getpid() {
			e.Errorf("credentials %+v", m.Credentials)
		}
	})
}

func TestRow024(t *testing.T) {
	eachPassing(t, "sdq", func(e *env) {
		a, b := e.pair()
		w := e.witness()
		if !e.stream() {
			e.fails(second(a.WriteMsg(make([]byte, 1<<22), w.w)), syscall.EMSGSIZE)
		}
		e.hangUp(b, a)
		e.fails(second(a.WriteMsg([]byte("x"), w.w)), e.goneFor())
		if e.datagram() {
			e.fails(second(e.listenPacket(e.path()).WriteMsg([]byte("x"), w.w)), syscall.ENOTCONN)
		}
		w.released()
	})
}
