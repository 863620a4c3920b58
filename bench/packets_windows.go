package bench

import (
	"afunix/internal/pipe"
	"afunix/internal/winpipe"
)

func newPipes() (a, b pipe.Pipe, err error) {
	x, y, err := winpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}
