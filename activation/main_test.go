package activation_test

import (
	"testing"
	"time"

	"afunix/internal/testchild"
)

// children are the main functions of further processes: the test binary starts itself.
var children = map[string]func(args []string) error{}

func TestMain(m *testing.M) { testchild.Main(m, children) }

// patience bounds every wait that should not last.
const patience = 20 * time.Second
