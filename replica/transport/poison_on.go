//go:build poison

package transport

// poisonViews: see poison_off.go.
const poisonViews = true
