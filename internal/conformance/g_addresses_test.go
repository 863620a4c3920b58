package conformance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"afunix"
)

func TestRow077(t *testing.T) {
	each(t, "sdq", func(e *env) {
		a, _ := e.pair()
		if l, r := a.LocalAddr().String(), a.RemoteAddr().String(); l != "@" || r != "@" {
			e.Errorf("%q, %q; want no names", l, r)
		}
		if e.datagram() {
			if r := e.listenPacket(e.path()).RemoteAddr(); r != nil {
				e.Errorf("remote address %v of a socket that is not connected", r)
			}
		}
	})
}

const rawAddresses = "package net and this API have names, no sockaddrs"

func TestRow078(t *testing.T) { notObservable(t, rawAddresses) }
func TestRow079(t *testing.T) {
	notObservable(t, "package net takes no path of 108 bytes (row 190), and this API reaches it by way of its directory")
}
func TestRow080(t *testing.T) { notObservable(t, rawAddresses) }

// Streams are bound to a name by Listen, which wants one.
func TestRow081(t *testing.T) {
	each(t, "d", func(e *env) {
		seen := map[string]bool{}
		for range 20 {
			name := e.listenPacket("").LocalAddr().String()
			if !autobound.MatchString(name) || seen[name] {
				e.Errorf("name %q", name)
			}
			seen[name] = true
			e.fails(second(e.bind(name)), syscall.EADDRINUSE)
			e.sendTo(e.listenPacket(""), name, "x") // it leads there
		}
	})
}

func TestRow082(t *testing.T) {
	each(t, "sdq", func(e *env) {
		s, err := e.bind("@")
		e.check(err)
		defer s.Close()
		e.fails(second(e.bind("@")), syscall.EADDRINUSE)
		e.dial("@")
	})
}

func TestRow084(t *testing.T) {
	each(t, "sdq", func(e *env) {
		name := "@conformance" + filepath.Base(e.path()) + filepath.Base(filepath.Dir(e.path()))
		s, err := e.bind(name)
		e.check(err)
		e.fails(second(e.bind(name)), syscall.EADDRINUSE)
		e.check(s.Close())
		e.fails(second(e.tryDial(name)), syscall.ECONNREFUSED)
		s, err = e.bind(name)
		e.check(err)
		e.check(s.Close())
	})
}

func TestRow087(t *testing.T) {
	each(t, "sdq", func(e *env) {
		file := e.file("").Name()
		missing := filepath.Join(filepath.Dir(file), "missing")
		e.fails(second(e.bind(filepath.Join(missing, "s"))), fs.ErrNotExist)
		e.fails(second(e.tryDial(filepath.Join(missing, "s"))), fs.ErrNotExist)
		e.fails(second(e.tryDial(missing)), fs.ErrNotExist)
		e.fails(second(e.tryDial(file)), syscall.ECONNREFUSED)
		e.fails(second(e.tryDial(filepath.Dir(file))), syscall.ECONNREFUSED)
		if runtime.GOOS == "windows" {
			return // a file as a directory is a missing path there, and links need a privilege
		}
		e.fails(second(e.bind(filepath.Join(file, "s"))), syscall.ENOTDIR)
		e.fails(second(e.tryDial(filepath.Join(file, "s"))), syscall.ENOTDIR)
		loop := e.path()
		e.check(os.Symlink(loop, loop))
		e.fails(second(e.tryDial(loop)), syscall.ELOOP)
	})
}

func init() {
	children["may not dial"] = mayNot(func(e childEnv) error { return second(e.dial()) })
	children["may not bind"] = mayNot(func(e childEnv) error {
		if e.network == "unixgram" {
			return second((&afunix.ListenConfig{Transport: e.transport}).ListenPacket(background, e.network, e.path))
		}
		return second((&afunix.ListenConfig{Transport: e.transport}).Listen(background, e.network, e.path))
	})
}

// mayNot expects that something is refused for want of a permission.
func mayNot(what func(childEnv) error) func(childEnv) error {
	return func(e childEnv) error {
		if err := what(e); !errors.Is(err, syscall.EACCES) || !errors.Is(err, fs.ErrPermission) {
			return errors.Join(errors.New("not refused"), err)
		}
		return nil
	}
}

func TestRow088(t *testing.T) {
	each(t, "sd", func(e *env) {
		path := e.path()
		s, err := e.bind(path)
		e.check(err)
		defer s.Close()
		dial, bind := e.child("may not dial", path), e.child("may not bind", e.path())
		if !asNobody(dial) || !asNobody(bind) {
			e.Skip("this process cannot become another user")
		}
		dial.Path, bind.Path = e.everybodys(dial.Path), e.everybodys(bind.Path)
		e.check(os.Chmod(path, 0o700))
		e.check(os.Chmod(filepath.Dir(path), 0o755))
		e.run(dial)
		e.run(bind)
	})
}

// everybodys returns a copy of a program that everybody may execute.
func (e *env) everybodys(program string) string {
	e.Helper()
	text, err := os.ReadFile(program)
	e.check(err)
	copied := e.path()
	e.check(os.WriteFile(copied, text, 0o755))
	return copied
}

func TestRow089(t *testing.T) {
	each(t, "sq", func(e *env) {
		bound := e.path()
		l := e.listen(bound)
		l.SetUnlinkOnClose(false)
		reaches := func(path string) {
			e.Helper()
			client := e.dial(path)
			server := e.accept(l)
			if got := server.LocalAddr().String(); got != bound {
				e.Errorf("accepted at %q", got)
			}
			client.Close()
			server.Close()
		}
		if link := e.path(); os.Symlink(bound, link) == nil && runtime.GOOS != "windows" {
			reaches(link)
			e.check(os.Remove(link))
		}
		hard := e.path()
		e.check(os.Link(bound, hard))
		reaches(hard)
		renamed := e.path()
		e.check(os.Rename(bound, renamed))
		reaches(renamed)
		e.check(os.Remove(renamed))
		reaches(hard)
		e.fails(second(e.tryDial(bound)), fs.ErrNotExist)
	})
}

func TestRow091(t *testing.T) {
	each(t, "sdq", func(e *env) {
		if runtime.GOOS == "windows" {
			e.Skip("the files of Windows have no such type and no such mode")
		}
		defer umask(umask(0o027))
		path := e.path()
		s, err := e.bind(path)
		e.check(err)
		defer s.Close()
		e.check(isSocketFile(path))
		if fi, err := os.Lstat(path); err != nil || fi.Mode().Perm() != 0o750 {
			e.Errorf("mode %v, %v", fi.Mode(), err)
		}
	})
}

func TestRow092(t *testing.T) {
	each(t, "sq", func(e *env) {
		path := e.path()
		l := e.listen(path)
		client := e.dial(path)
		server := e.accept(l)
		for what, is := range map[string][2]string{
			"listener":        {l.Addr().String(), path},
			"client, local":   {client.LocalAddr().String(), "@"},
			"client, remote":  {client.RemoteAddr().String(), path},
			"accepted, local": {server.LocalAddr().String(), path},
			"accepted, peer":  {server.RemoteAddr().String(), "@"},
		} {
			if is[0] != is[1] {
				e.Errorf("%s: %q; want %q", what, is[0], is[1])
			}
		}
		e.send(client, "x")
		if m := e.recv(server, 9, "x", 0); m.From != nil {
			e.Errorf("from %v", m.From)
		}
		bound := e.path()
		e.dialFrom(bound, path)
		if got := e.accept(l).RemoteAddr().String(); got != bound {
			e.Errorf("a client that is bound is called %q", got)
		}
	})
}

func TestRow095(t *testing.T) {
	each(t, "sq", func(e *env) {
		dir := filepath.Dir(e.path())
		e.Chdir(dir)
		l := e.listen("./../" + filepath.Base(dir) + "/rel")
		l.SetUnlinkOnClose(false)
		e.Cleanup(func() { os.Remove(filepath.Join(dir, "rel")) })
		if got := l.Addr().String(); got != "./../"+filepath.Base(dir)+"/rel" {
			e.Errorf("name %q", got)
		}
		e.dial("rel")
		e.accept(l)
		e.check(os.Mkdir("sub", 0o777))
		e.Chdir("sub")
		e.dial("../rel")
		e.fails(second(e.tryDial("rel")), fs.ErrNotExist)
		e.Chdir(dir)
	})
}
