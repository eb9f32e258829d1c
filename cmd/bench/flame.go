//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/pprof/profile"

	"paxosbench/bench/flame"
	"paxosbench/bench/record"
	"paxosbench/cmd/program"
)

// flameCommand is bench flame.
type flameCommand struct {
	Profile string `arg:"" type:"existingfile" help:"A profile in pprof's format."`
	Out     string `short:"o" placeholder:"FILE.svg" help:"Where to write. Default: beside the profile, with the ending .svg; of --folded .folded."`
	Folded  bool   `help:"Write folded stacks instead, which speedscope and other programs read."`
	Title   string `help:"Title of the picture. Default: the name of the profile."`
}

// Run carries out bench flame.
func (c *flameCommand) Run() error {
	file, err := os.Open(c.Profile)
	if err != nil {
		return err
	}
	p, err := profile.Parse(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", c.Profile, err)
	}
	stem := strings.TrimSuffix(c.Profile, filepath.Ext(c.Profile))
	if c.Out == "" {
		c.Out = stem + map[bool]string{false: ".svg", true: ".folded"}[c.Folded]
	}
	if c.Title == "" {
		c.Title = filepath.Base(stem)
	}
	if record.SameFile(c.Out, c.Profile) {
		return program.Usage(fmt.Errorf("%s is the profile, which would be lost: give another --out", c.Out))
	}
	var picture bytes.Buffer
	if c.Folded {
		err = flame.Folded(&picture, p)
	} else {
		err = flame.Write(&picture, p, c.Title)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Profile, err)
	}
	return record.SaveFile(c.Out, picture.Bytes())
}
