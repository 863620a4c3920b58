package upgrade

import (
	"errors"
	"fmt"
	"os"

	"afunix/activation"
)

// takeActivated takes over what a service manager has passed to this process. Nobody after this
// sees it: neither child processes nor another call, unless New fails.
func takeActivated() ([]*passed, error) {
	files, err := activation.Files()
	if err != nil {
		return nil, err
	}
	var errs []error
	var all []*passed
	for i, f := range files { // to the end, since all of them are ours to close
		p, err := activate(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("number %d, %q: %w", i, f.Name(), err))
			continue
		}
		all = append(all, p)
	}
	if len(errs) > 0 {
		leaveUnused(all)
		return nil, errors.Join(errs...)
	}
	return all, nil
}

// activate makes of a file what is kept, and closes the file.
func activate(f *os.File) (*passed, error) {
	defer f.Close()
	rights, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	defer rights.Close()
	p, err := newPassed(rights, f.Name())
	if err == nil {
		p.findFile()
	}
	return p, err
}
