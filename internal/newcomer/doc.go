// Package newcomer has the tests of what somebody meets who is new here: the commands of README.md,
// and the scripts that set a machine up.
package newcomer
