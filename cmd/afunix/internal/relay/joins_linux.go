package relay

import "afunix"

// joins reports whether a receive from a stream joins plain bytes with descriptors behind them.
func joins(afunix.Transport) bool { return true }
