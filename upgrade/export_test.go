package upgrade

import (
	"testing"
	"time"
)

func init() { watchPause = 10 * time.Millisecond } // tests wait for what it finds

// WatchSeldom lets processes look at nothing by themselves during a test.
func WatchSeldom(t *testing.T) {
	before := watchPause
	watchPause = time.Hour
	t.Cleanup(func() { watchPause = before })
}
