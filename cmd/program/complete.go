package program

import (
	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"
)

// Complete completes the word under the cursor if that is what a shell calls the program for, and tells whether it was. In
// bash and zsh `complete -C /path/of/the/program NAME` makes a shell do so.
func Complete(parser *kong.Kong) (completed bool) {
	kongplete.Complete(parser, kongplete.WithExitFunc(func(int) { completed = true }))
	return completed
}
