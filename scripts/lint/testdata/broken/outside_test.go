package broken_test

import (
	"testing"

	"broken"
	"broken/wrap"
)

func TestOutside(t *testing.T) {
	broken.Sum()
	wrap.Logf("%s\n", 1)
	n := 1
	n = 2
	_ = n
	t.Fatal("%d", 1)
}

func unusedOutside() {}
