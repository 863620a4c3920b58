package endpoint

import (
	"context"
	"errors"
	"os"
	"testing"

	"afunix/internal/pipe"
)

// A deadline that ends a dial and is put off before the dial has noticed has ended it all the same.
func TestDeadlinePutOffDuringDial(t *testing.T) {
	var o outgoing
	if d, err := o.add("name", pipe.Place{}, nil, context.Canceled); d != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, %v; want os.ErrDeadlineExceeded", d, err)
	}
}
