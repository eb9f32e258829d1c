package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"paxosbench/wire"
)

// Status is what is looked at of a replica's /status.
type Status struct {
	ID      wire.ReplicaID `json:"id"`
	Cluster string         `json:"cluster"`
	Role    string         `json:"role"`
	Ballot  wire.Ballot    `json:"ballot"`
	Leader  wire.ReplicaID `json:"leader"`
	Commit  uint64         `json:"commit"`
	Applied uint64         `json:"applied"`
	Digest  string         `json:"state_digest"`

	NoLeaderReason string `json:"no_leader_reason"`

	Recovery struct {
		Bytes      int64 `json:"bytes"` // read of its data
		TotalBytes int64 `json:"total_bytes"`
	} `json:"recovery"`
}

// recovers tells whether the replica still reads its data.
func (s *Status) recovers() bool { return s.Role == "recovering" }

// leads tells whether the replica decides for the cluster.
func (s *Status) leads() bool { return s.Role == "leader" || s.Role == "unreplicated" }

const (
	// statusTimeout bounds one look at a replica.
	statusTimeout = time.Second
	// statusBytes bounds what is read of an answer.
	statusBytes = 1 << 20
)

// client keeps no connections: a replica that is stopped or killed would be asked on one that is as good as dead.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// FetchStatus asks the replica at an admin address.
func FetchStatus(ctx context.Context, admin string) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	body, err := get(ctx, admin, "/status")
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, json.NewDecoder(io.LimitReader(body, statusBytes)).Decode(&s)
}

// get asks for a page at an admin address.
func get(ctx context.Context, admin, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s%s: %s", admin, path, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// Get copies what a replica answers at its admin address.
func (c *Cluster) Get(ctx context.Context, id wire.ReplicaID, path string, w io.Writer) error {
	m, err := c.Member(id)
	if err != nil {
		return err
	}
	body, err := get(ctx, m.Admin, path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, body)
	return errors.Join(err, body.Close())
}
