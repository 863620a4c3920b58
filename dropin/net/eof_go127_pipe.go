//go:build go1.27 && (windows || (linux && afunix_pipe))

package net

// bareEOF says that ReadFrom, ReadFromUnix and ReadMsgUnix of package net return io.EOF itself, as
// Read does: since Go 1.27 (go.dev/issue/78137).
const bareEOF = true
