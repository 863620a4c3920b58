//go:build unix && race

package afunix_test

const raceDetector = true
