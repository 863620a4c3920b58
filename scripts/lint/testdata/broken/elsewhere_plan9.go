//go:build plan9

package broken

//go:debug panicnil=1
