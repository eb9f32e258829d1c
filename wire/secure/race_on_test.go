//go:build race

package secure_test

// raceDetector throws away some of what is given to a sync.Pool, as which crypto/tls keeps its buffers.
const raceDetector = true
