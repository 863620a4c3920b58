package bench

import (
	"afunix/internal/endpoint"
	"afunix/internal/linuxpipe"
)

func newPipes() (a, b endpoint.Pipe, err error) {
	x, y, err := linuxpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}
