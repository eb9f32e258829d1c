//go:build !poison

package transport

// poisonViews makes the framer overwrite every view once its callback has returned, so that a view which outlives the
// callback shows itself as a corrupted command. Switched on by the build tag poison, in tests.
const poisonViews = false
