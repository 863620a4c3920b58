//go:build !race

package afunix_test

const raceDetector = false
