package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cluster is three replicas as processes, for one load.
type cluster struct {
	program    string
	dir        string // does not outlive the cluster
	base       int    // of the ports
	durability string
	replicas   []*exec.Cmd
}

const size = 3

// addr returns an address of a replica; kind is 1 for clients, 101 for peers, 201 for admin.
func (c *cluster) addr(id, kind int) string { return fmt.Sprintf("127.0.0.1:%d", c.base+kind-1+id) }

// addrs returns the addresses of all replicas.
func (c *cluster) addrs(kind int) string {
	var all []string
	for id := 1; id <= size; id++ {
		all = append(all, c.addr(id, kind))
	}
	return strings.Join(all, ",")
}

// start starts the replicas, and writes a script that kills them as the load asks for it.
func (c *cluster) start() error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	for id := 1; id <= size; id++ {
		args := []string{"--id", fmt.Sprint(id), "--data", filepath.Join(c.dir, fmt.Sprint(id)), "--admin", c.addr(id, 201),
			"--durability", c.durability, "--bootstrap"}
		for peer := 1; peer <= size; peer++ {
			args = append(args, "--member", fmt.Sprintf("%d=%s,%s", peer, c.addr(peer, 101), c.addr(peer, 1)))
		}
		replica := exec.Command(c.program, args...)
		if err := replica.Start(); err != nil {
			return errors.Join(err, c.stop())
		}
		c.replicas = append(c.replicas, replica)
		if err := os.WriteFile(filepath.Join(c.dir, fmt.Sprintf("%d.pid", id)), fmt.Append(nil, replica.Process.Pid), 0o644); err != nil {
			return errors.Join(err, c.stop())
		}
	}
	kill := fmt.Sprintf("#!/bin/sh\nkill -9 \"$(cat '%s'/\"$2\".pid)\"\n", c.dir)
	return os.WriteFile(c.script(), []byte(kill), 0o755)
}

func (c *cluster) script() string { return filepath.Join(c.dir, "cluster.sh") }

// stop kills the replicas and removes what they have left.
func (c *cluster) stop() error {
	for _, replica := range c.replicas {
		_ = replica.Process.Kill() // it may have ended by itself
		_ = replica.Wait()
	}
	return os.RemoveAll(c.dir)
}
