package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"afunix"
	"afunix/internal/lookalike"

	"github.com/spf13/cobra"
)

// A usageError says that the command was called in a way that it does not have.
type usageError struct{ text string }

// Error is what the user sees, above the usage.
func (e *usageError) Error() string { return e.text }

// usagef returns a usageError with this text.
func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// An exitStatus ends the command with that status and without a message: the program that failed
// has said why.
type exitStatus int

// Error is for errors.As alone: no user sees it.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// errInterrupted replaces the errors of calls that a signal has cut off.
var errInterrupted = errors.New("interrupted")

// flagError makes a usageError of what the flag parser found.
func flagError(_ *cobra.Command, err error) error { return &usageError{err.Error()} }

// An explained error has a hint behind its text.
type explained struct {
	err  error
	hint string
}

// Error is the text of the error, and the hint in parentheses.
func (e *explained) Error() string { return e.err.Error() + " (" + e.hint + ")" }

// Unwrap returns the error without the hint.
func (e *explained) Unwrap() error { return e.err }

// explain adds to the error of dialling or listening what the errno alone does not tell.
func explain(err error, addr string) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*lookalike.Error)): // the error itself says what is there
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = refused(addr)
	case errors.Is(err, context.DeadlineExceeded): // with --wait; the error itself says for what
	case errors.Is(err, syscall.EAGAIN):
		hint = "as many clients wait there as may: --wait waits for room"
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "something has that name: a socket in use, or a file that is no socket of ours"
	}
	if hint == "" {
		return err
	}
	return &explained{err, hint}
}

// address returns what the library calls an address that the user has typed.
func address(text string) (string, error) {
	addr, err := afunix.ParseAddress(text)
	if err != nil {
		return "", &usageError{err.Error()}
	}
	return addr, nil
}
