package bench

import (
	"afunix/internal/endpoint"
	"afunix/internal/winpipe"
)

func newPipes() (a, b endpoint.Pipe, err error) {
	x, y, err := winpipe.NewPair()
	if err != nil {
		return nil, nil, err
	}
	return x, y, nil
}
