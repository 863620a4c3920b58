package conformance

import "afunix"

// passCredentials sets SO_PASSCRED.
func (e *env) passCredentials(c *afunix.Conn) {
	e.Helper()
	e.check(c.SetPassCredentials(true))
}
