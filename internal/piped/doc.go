// Package piped is the pipe transport: package endpoint over the message pipes of this system. It
// binds and chooses names, and opens pipes; what becomes of them is the engine's.
package piped
