//go:build !race

package linuxpipe

const raceEnabled = false
