// Package piped is the pipe transport: package endpoint over the message pipes of this system. It
// binds and chooses names, and opens pipes, which it gives to the engine (package endpoint).
package piped
