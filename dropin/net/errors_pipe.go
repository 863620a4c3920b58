//go:build windows || (linux && afunix_pipe)

package net

import (
	"errors"
	"net"
	"os"

	"afunix"
)

// errMissingAddress has the text that package net gives, which does not export it.
var errMissingAddress = errors.New("missing address")

// plain strips an error of package afunix of what package net's errors do not have: the operation,
// which the caller knows better, and which of the descriptors it was.
func plain(err error) error {
	if op, ok := err.(*net.OpError); ok {
		err = op.Err
	}
	if rights, ok := err.(*afunix.RightsError); ok {
		err = rights.Err
	}
	return err
}

// renamed is plain, with another name for the system call that failed.
func renamed(err error, call string) error {
	err = plain(err)
	if s, ok := err.(*os.SyscallError); ok {
		return os.NewSyscallError(call, s.Err)
	}
	return err
}

// opAddr makes a nil interface of a nil address.
func opAddr(a *UnixAddr) Addr {
	if a == nil {
		return nil
	}
	return a
}
