//go:build !unix

package longpath

// Max is how many bytes a path has in a socket's address, as on Linux.
const Max = 107
