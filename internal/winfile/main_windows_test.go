package winfile

import (
	"testing"

	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
