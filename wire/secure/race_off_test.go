//go:build !race

package secure_test

const raceDetector = false
