// Package newcomer has the tests of what a newcomer meets: the commands of README.md, and the
// scripts that set a machine up.
package newcomer
