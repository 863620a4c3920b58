package sockfile

import (
	"testing"

	"afunix/internal/testchild"
)

// children are the main functions of further processes: the test binary starts itself.
var children = map[string]func(args []string) error{}

func TestMain(m *testing.M) { testchild.Main(m, children) }
