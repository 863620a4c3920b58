// Package apitest has the tests of package afunix, seen from outside: what a program can see that
// uses the exported names, on every transport of the system. The examples alone stand beside the
// package itself, where its documentation shows them.
//
// A test that needs a second process starts the test binary again (child, in main_test.go). The
// tests named TestExchange… are conversations of two processes; their rig is exchange_test.go.
package apitest
