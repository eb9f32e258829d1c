package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"paxosbench/bench/cluster"
	"paxosbench/bench/suite"
)

// control lets the load generator do things to the cluster during a measurement. It calls a script for that; the script
// made here is one line that calls cmd/bench, which asks the runner that made the cluster.
type control struct {
	script string
	server *http.Server
}

// serveControl starts to answer on a port of its own and writes the script into dir.
func serveControl(c *cluster.Cluster, self, dir string) (*control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "control")
	line := suite.ShellLine([]string{self, "control", listener.Addr().String()})
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+line+" \"$@\"\n"), 0o755); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ctl := &control{script: script, server: &http.Server{Handler: controlHandler(c)}}
	go ctl.server.Serve(listener)
	return ctl, nil
}

func (c *control) close() { _ = c.server.Close() }

// controlHandler answers POST / with the form values arg, the words of a command of scripts/cluster.sh.
func controlHandler(c *cluster.Cluster) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := obey(r.Context(), c, r.Form["arg"])
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		fmt.Fprintln(w, answer)
	})
}

// obey carries out leader, or an action on a replica, such as kill 2.
func obey(ctx context.Context, c *cluster.Cluster, args []string) (string, error) {
	if len(args) == 1 && args[0] == "leader" {
		id, err := c.Leader(ctx)
		return fmt.Sprint(id), err
	}
	if len(args) != 2 {
		return "", fmt.Errorf("%q: want leader, or an action and a replica", args)
	}
	id, err := cluster.ReplicaID(args[1])
	if err != nil {
		return "", err
	}
	return "", c.Act(ctx, args[0], id)
}

// Control asks a runner at addr to carry out a command, and returns its answer.
func Control(addr string, args []string) (string, error) {
	response, err := http.PostForm("http://"+addr+"/", url.Values{"arg": args})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", errors.New(strings.TrimSpace(string(answer)))
	}
	return string(answer), nil
}
