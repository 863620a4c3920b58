package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"afunix"
	"afunix/cmd/afunix/internal/show"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A saver writes the contents of what came to a directory, and says what it has done.
type saver struct {
	dir string
	std streams
}

func newSaver(dir string, std streams) (*saver, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return &saver{dir, std}, nil
}

func (s *saver) finish(context.Context) error { return nil }

// put saves what it can. If it fails for one descriptor it saves the others all the same, and then
// fails.
func (s *saver) put(ctx context.Context, number int, m *message) error {
	arrivals := takeAll(m.rights)
	defer closeAll(arrivals)
	root, err := os.OpenRoot(s.dir) // nothing is written outside of it, whatever the names are
	if err != nil {
		return err
	}
	defer root.Close()
	notes := make([]string, len(arrivals))
	var failures []error
	for i, a := range arrivals {
		note, err := s.save(ctx, root, a)
		if err != nil {
			err = fmt.Errorf("message %d, descriptor %d (%v): %w", number, i, a.kind, err)
			note = "not saved: see the error"
			failures = append(failures, err)
		}
		notes[i] = note
	}
	_, err = io.WriteString(s.std.out, m.heading(number)+"\n"+arrivalTable(arrivals, notes))
	return errors.Join(append(failures, err)...)
}

// save saves the contents of one descriptor, if it has any, and returns a note about that.
func (s *saver) save(ctx context.Context, root *os.Root, a *arrival) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	contents, size := a.contents()
	if contents == nil {
		return "not saved: nothing to read", nil
	}
	f, name, err := create(root, fileName(a.kind, a.name))
	if err != nil {
		return "", err
	}
	n, err := s.copy(ctx, f, contents, size, name)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name)) // half a file would pass for a whole one
	}
	return fmt.Sprintf("%s in %s", show.Plural(int(n), "byte"), show.Printable(filepath.Join(s.dir, name))), nil
}

// contents returns what can be read from a descriptor, and how much that will be; -1 if it is not
// known, and nil for what has no contents.
func (a *arrival) contents() (io.Reader, int64) {
	switch size, _ := a.size(); {
	case a.file == nil:
	case a.kind == afunix.KindFile:
		offset, err := a.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return a.file, -1
		}
		return a.file, max(0, size-offset)
	case a.kind == afunix.KindPipe:
		return a.file, -1
	case a.kind == afunix.KindMemory && memoryIsFile:
		return io.NewSectionReader(a.file, 0, size), size
	}
	return nil, 0
}

// maxSimilar is how many files of the same name are told apart by a number.
const maxSimilar = 10_000

// create creates a file called name, or, if that name is taken, with a name like it. It returns the
// file's name.
func create(root *os.Root, name string) (*os.File, string, error) {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 1; n <= maxSimilar; n++ {
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, name, err
		}
		name = fmt.Sprintf("%s-%d%s", stem, n+1, ext)
	}
	return nil, "", fmt.Errorf("%s has %d files like %s%s already", root.Name(), maxSimilar, stem, ext)
}

// copy copies, and shows how far it is if that may take a while and somebody is there to see it.
func (s *saver) copy(ctx context.Context, dst io.Writer, src io.Reader, size int64, name string) (int64, error) {
	if size < large || !isTerminal(s.std.errs) {
		return copyUntil(ctx, dst, src)
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(s.std.errs),
		progressbar.OptionSetDescription(show.Printable(name)),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)
	n, err := copyUntil(ctx, io.MultiWriter(dst, bar), src)
	return n, errors.Join(err, bar.Close())
}

// copyUntil copies until src ends, or ctx. A pipe may never end, and reading from one cannot always
// be called off: then it goes on in the background, for as long as this process lasts, which is not
// long any more.
func copyUntil(ctx context.Context, dst io.Writer, src io.Reader) (n int64, err error) {
	done := make(chan struct{})
	var copied int64
	var failure error
	go func() {
		defer close(done)
		copied, failure = io.Copy(dst, src)
	}()
	select {
	case <-done:
		return copied, failure
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// large is the size from which on a file takes so long that people want to see how far it is.
const large = 16 << 20

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
