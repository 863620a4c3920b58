//go:build !go1.27 && (windows || (linux && afunix_pipe))

package net

// bareEOF says that ReadFrom, ReadFromUnix and ReadMsgUnix of package net return io.EOF itself, as
// Read does. Until Go 1.27 they wrap it in a *net.OpError.
const bareEOF = false
