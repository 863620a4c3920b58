package apitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// An article is something that is handed over: one process offers it, the other uses it, and they
// talk about what they see.
type article struct {
	name string
	kind afunix.Kind

	// offer opens what is sent, and returns how the sender goes on after it has sent it: it begins
	// and ends by hearing something.
	offer func(t *testing.T) (afunix.Sendable, func(t *testing.T, p *peer))

	// use is the receiver's side: it begins and ends by saying something.
	use func(k *talk, r afunix.Rights) error
}

// articles are those of every system and those of this one.
var articles = append([]article{
	{"file", afunix.KindFile, offerFile, useFile},
	{"directory", afunix.KindDirectory, offerDirectory, useDirectory},
	{"reading end of a pipe", afunix.KindPipe, offerPipeReader, usePipeReader},
	{"writing end of a pipe", afunix.KindPipe, offerPipeWriter, usePipeWriter},
	{"TCP connection", afunix.KindStream, offerTCPConn, useConn},
	{"TCP listener", afunix.KindListener, offerTCPListener, useTCPListener},
	{"UDP socket", afunix.KindDatagram, offerUDP, useUDP},
}, systemArticles...)

func init() { parts["use articles"] = useArticles }

func TestExchangeOfEveryKind(t *testing.T) {
	eachSide(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "use articles")
		p.asks(t, anythingLeft, nothing) // what is opened for an answer is open from here on
		for _, thing := range articles {
			ok := t.Run(thing.name, func(t *testing.T) {
				file, goOn := thing.offer(t)
				p.says(t, thing.name, file)
				goOn(t, p)
				p.asks(t, anythingLeft, nothing)
			})
			if !ok {
				return // the two may have lost their place in the conversation
			}
		}
		p.finish(t)
	})
}

// useArticles receives articles until it is told that there are no more. None may leave anything
// open.
func useArticles(k *talk) error {
	for {
		name, rights, err := k.hear()
		if err != nil || name == "bye" {
			return err
		}
		if name == anythingLeft {
			if err := k.say(nothing); err != nil {
				return err
			}
			continue
		}
		before, err := countResources() // the descriptor is open already; what the sender will say next brings none
		if err != nil {
			return err
		}
		before.descriptors -= rights.Len()
		err = useArticle(k, name, rights)
		if err == nil {
			err = k.wait(anythingLeft)
		}
		if err == nil {
			err = before.settle()
		}
		if err == nil {
			err = k.say(nothing)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return errors.Join(err, k.say(failure+err.Error()))
		}
	}
}

const (
	anythingLeft = "is anything left?"
	nothing      = "no"
)

func useArticle(k *talk, name string, rights afunix.Rights) error {
	defer rights.Close()
	i := slices.IndexFunc(articles, func(a article) bool { return a.name == name })
	if i < 0 || rights.Len() != 1 {
		return fmt.Errorf("%d descriptors, article %d", rights.Len(), i)
	}
	if got := rights.Kind(0); got != articles[i].kind {
		return fmt.Errorf("received as %v; want %v", got, articles[i].kind)
	}
	return articles[i].use(k, rights)
}

const fileText = "hello, world"

func offerFile(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	f := createTemp(t)
	if _, err := f.WriteString(fileText); err != nil {
		t.Fatal(err)
	}
	seek(t, f, 7)
	return f, func(t *testing.T, p *peer) {
		p.expect(t, "world")
		if offset, err := f.Seek(0, io.SeekCurrent); offset != 12 || err != nil {
			t.Errorf("after the receiver has read, the sender's offset is %d, %v; want 12", offset, err)
		}
		seek(t, f, 3)
		p.asks(t, "again", "lo, world")
		p.asks(t, "write", "written")
		buf := make([]byte, 100)
		if n, err := f.ReadAt(buf, 0); string(buf[:n]) != fileText+"+more" || err != io.EOF {
			t.Errorf("after the receiver has written, the file is %q, %v", buf[:n], err)
		}
	}
}

// createTemp returns a new file, open for reading and writing.
func createTemp(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(testenv.TempDir(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func seek(t *testing.T, f *os.File, offset int64) {
	t.Helper()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
}

func useFile(k *talk, r afunix.Rights) error {
	f, err := r.File(0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, next := range []string{"again", "write"} {
		text, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		if err := errors.Join(k.say(string(text)), k.wait(next)); err != nil {
			return err
		}
	}
	if _, err := f.WriteString("+more"); err != nil {
		return err
	}
	return errors.Join(f.Close(), k.say("written"))
}

func offerDirectory(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	path := testenv.TempDir(t)
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir, func(t *testing.T, p *peer) { p.expect(t, "one two") }
}

func useDirectory(k *talk, r afunix.Rights) error {
	dir, err := r.File(0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if info, err := dir.Stat(); err != nil || !info.IsDir() {
		return fmt.Errorf("no directory: %v, %w", info, err)
	}
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	return errors.Join(err, dir.Close(), k.say(strings.Join(names, " ")))
}

// makePipe returns the ends of a pipe.
func makePipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

const pipeText = "through the pipe"

func offerPipeReader(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	r, w := makePipe(t)
	return r, func(t *testing.T, p *peer) {
		_, err := w.WriteString(pipeText)
		if err := errors.Join(err, w.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		p.expect(t, pipeText)
	}
}

// usePipeReader reads up to the end, which comes only if no other copy of the writing end is open.
func usePipeReader(k *talk, r afunix.Rights) error {
	f, err := r.File(0)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return errors.Join(err, f.Close(), k.say(string(text)))
}

func offerPipeWriter(t *testing.T) (afunix.Sendable, func(*testing.T, *peer)) {
	r, w := makePipe(t)
	return w, func(t *testing.T, p *peer) {
		w.Close()
		p.expect(t, "written")
		if text, err := io.ReadAll(r); string(text) != pipeText || err != nil {
			t.Errorf("read %q, %v; want %q", text, err, pipeText)
		}
	}
}

func usePipeWriter(k *talk, r afunix.Rights) error {
	f, err := r.File(0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(pipeText)
	return errors.Join(err, f.Close(), k.say("written"))
}
