//go:build !unix

package activation

import (
	"os"

	"afunix/internal/activated"
	"afunix/internal/descriptor"
)

// files takes over nothing: no service manager here passes descriptors.
func files() ([]*os.File, error) { return nil, nil }

// describe has nothing to describe.
func describe(*os.File) (c activated.Candidate, k descriptor.Kind) { return c, k }
