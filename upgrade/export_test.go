package upgrade

import "time"

func init() { watchPause = 10 * time.Millisecond } // tests wait for what it finds
