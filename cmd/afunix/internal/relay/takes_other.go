//go:build !unix

package relay

// Takes sends nothing.
func (s *socket) Takes() bool { return s.takesEmpty() }
