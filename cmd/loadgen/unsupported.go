//go:build !linux

package main

import "paxosbench/cmd/program"

func main() { program.Unsupported("loadgen") }
