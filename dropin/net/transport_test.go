//go:build windows || (linux && afunix_pipe)

package net_test

// overPipe says which transport is under test.
const overPipe = true
