//go:build !windows && !(linux && afunix_pipe)

package net_test

const overPipe = false
