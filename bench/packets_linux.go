package bench

import (
	"afunix/internal/linuxpipe"
	"afunix/internal/pipe"
)

func newPipes() (a, b pipe.Pipe, err error) {
	x, y, err := linuxpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}
