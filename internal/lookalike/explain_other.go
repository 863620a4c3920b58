//go:build !unix

package lookalike

// Explain has nothing to add. (On Windows the transports look into the file before they dial.)
func Explain(_ string, err error) error { return err }
