//go:build !linux

package relay

import "afunix"

// joins reports whether a receive from a stream joins plain bytes with descriptors behind them, as
// on Linux. Other kernels keep them apart (soreceive, sbappendcontrol), and a stream to a program
// that is not afunix has no descriptors.
func joins(t afunix.Transport) bool { return t == afunix.PipeTransport }
