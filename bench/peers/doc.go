// Package peers is the root of a module of its own: what the benchmark compares this project with, and nothing of
// which the main module depends on.
package peers
