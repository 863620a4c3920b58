package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A bench is where subjects are tried.
type bench struct {
	root, scratch string
	overlay       string // empty: no Wine
	verbose       bool
	chosen        *regexp.Regexp // which ways
}

// A way is one of the four in which a suite is run.
type way struct {
	name    string
	dropin  bool
	windows bool
	args    []string
}

const (
	native = "native"
	kernel = "Linux kernel"
	pipe   = "Linux pipe"
	wine   = "Wine"
)

func (b *bench) ways() []way {
	ways := []way{
		{name: native},
		{name: kernel, dropin: true},
		{name: pipe, dropin: true, args: []string{"-tags", "afunix_pipe"}},
	}
	if b.overlay == "" {
		return ways
	}
	exec := fmt.Sprintf("'%s'", filepath.Join(b.root, "scripts/wine-exec"))
	return append(ways, way{name: wine, dropin: true, windows: true,
		args: []string{"-overlay", b.overlay, "-exec", exec}})
}

// An outcome is what the tests of a suite did, by name; a package whose tests could not be built,
// or did not end, or that failed though none of its tests did, has a test of its own name that
// failed. Of tests with the same name one that failed counts.
type outcome map[string]string // pass, fail, skip

func (o outcome) with(what string) (names []string) {
	for name, was := range o {
		if was == what {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

type result struct {
	subject
	outcomes map[string]outcome // by way
}

// try runs a subject's tests in every way.
func (b *bench) try(s subject) (result, error) {
	r := result{s, make(map[string]outcome)}
	var from string
	var err error
	if s.source != nil {
		from, err = s.source(b)
	} else {
		from, err = download(s.module, s.version)
	}
	if err != nil {
		return r, err
	}
	for _, w := range b.ways() {
		if w.windows && s.notOnWindows != "" || !b.chosen.MatchString(w.name) {
			continue
		}
		dir, err := b.prepare(s, from, strings.ReplaceAll(w.name, " ", "-"), w.dropin, w.windows)
		if err != nil {
			return r, fmt.Errorf("%s: %w", w.name, err)
		}
		o, err := b.test(s, w, dir)
		if err != nil {
			return r, fmt.Errorf("%s: %w", w.name, err)
		}
		log.Printf("\t%s: %d passed, %d failed, %d skipped", w.name, len(o.with("pass")),
			len(o.with("fail")), len(o.with("skip")))
		r.outcomes[w.name] = o
	}
	return r, nil
}

// test runs the tests in dir and returns what became of each.
func (b *bench) test(s subject, w way, dir string) (outcome, error) {
	args := append([]string{"test", "-json", "-count=1", "-timeout=3m", "-vet=off"}, w.args...)
	if s.run != "" {
		args = append(args, "-run", s.run)
	}
	packages := s.packages
	if w.windows && s.onWindows != nil {
		packages = s.onWindows
	}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	if w.windows {
		cmd.Env = append(cmd.Env, "GOOS=windows", "GOARCH=amd64")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	o, text, err := parse(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	if len(o) == 0 {
		return nil, fmt.Errorf("no test ran: %s%s", text, stderr.Bytes())
	}
	if b.verbose && len(o.with("fail")) > 0 {
		log.Printf("%s\n%s", text, stderr.Bytes())
	}
	return o, nil
}

// parse reads what "go test -json" prints: outcomes of tests without their subtests, and the text
// of all that failed.
func parse(r io.Reader) (outcome, string, error) {
	o := make(outcome)
	texts := make(map[string]*strings.Builder)
	blamed := make(map[string]bool) // packages with a test that failed
	var failed strings.Builder
	for dec := json.NewDecoder(r); ; {
		var e struct{ Action, Package, ImportPath, Test, Output string }
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return o, failed.String(), nil
		}
		if err != nil {
			return nil, "", err
		}
		name, _, isSub := strings.Cut(e.Test, "/")
		if name == "" {
			name = e.Package + e.ImportPath
		}
		switch e.Action {
		case "output", "build-output":
			if texts[name] == nil {
				texts[name] = new(strings.Builder)
			}
			texts[name].WriteString(e.Output)
		case "pass", "skip":
			if e.Test != "" && !isSub && o[name] != "fail" {
				o[name] = e.Action
			}
		case "fail", "build-fail":
			switch {
			case isSub:
			case e.Test != "":
				blamed[e.Package] = true
				fallthrough
			case !blamed[name] || texts[name] != nil && strings.Contains(texts[name].String(), "panic: "):
				o[name] = "fail"
				if texts[name] != nil {
					failed.WriteString(texts[name].String())
				}
			}
		}
	}
}
