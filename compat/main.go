// Compat runs the test suites of published modules with nothing but the imports of net, syscall and
// golang.org/x/sys/unix changed to those below afunix/dropin, and prints docs/COMPATIBILITY.md. The
// modules come from the module proxy, at the versions in subjects.go, into a directory of their
// own; nothing of them stays.
//
// A test that fails with dropin, but not natively, has its cause in subjects.go. One that has not,
// and one that no longer fails, makes compat exit with status 1.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("compat: ")
	root := flag.String("root", "..", "the repository")
	overlay := flag.String("wine-overlay", "", "what scripts/wine-overlay prints; empty: no Wine here")
	only := flag.String("only", "", "a regular expression: subjects to run")
	ways := flag.String("ways", "", "a regular expression: ways to run them in")
	keep := flag.String("keep", "", "a directory to leave the prepared modules in")
	verbose := flag.Bool("v", false, "show the output of tests that fail")
	flag.Parse()
	if err := run(*root, *overlay, *only, *ways, *keep, *verbose); err != nil {
		log.Fatal(err)
	}
}

func run(root, overlay, only, ways, keep string, verbose bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	chosenWays, err := regexp.Compile(ways)
	if err != nil {
		return err
	}
	scratch := keep
	if scratch == "" {
		if scratch, err = os.MkdirTemp("", "compat"); err != nil {
			return err
		}
		defer os.RemoveAll(scratch)
	}
	b := bench{root: root, scratch: scratch, verbose: verbose, chosen: chosenWays}
	if overlay != "" {
		if b.overlay, err = wineOverlay(overlay, scratch); err != nil {
			return err
		}
	}
	var results []result
	for _, s := range subjects {
		if !chosen.MatchString(s.module) {
			continue
		}
		log.Printf("%s %s", s.module, s.version)
		r, err := b.try(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.module, err)
		}
		results = append(results, r)
	}
	surprises := report(os.Stdout, results, overlay != "")
	for _, s := range surprises {
		log.Print(s)
	}
	if len(surprises) > 0 {
		return fmt.Errorf("%d surprises", len(surprises))
	}
	return nil
}
