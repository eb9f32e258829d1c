package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"paxosbench/wire"
)

// status is what is looked at of a replica's /status.
type status struct {
	Role   string         `json:"role"`
	Ballot wire.Ballot    `json:"ballot"`
	Leader wire.ReplicaID `json:"leader"`

	Recovery struct {
		Bytes int64 `json:"bytes"` // read of its data
	} `json:"recovery"`
}

// recovers tells whether the replica still reads its data.
func (s *status) recovers() bool { return s.Role == "recovering" }

// leads tells whether the replica decides for the cluster.
func (s *status) leads() bool { return s.Role == "leader" || s.Role == "unreplicated" }

const (
	// statusTimeout bounds one look at a replica.
	statusTimeout = time.Second
	// statusBytes bounds what is read of an answer.
	statusBytes = 1 << 20
)

func fetchStatus(ctx context.Context, admin string) (s status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/status", nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s/status: %s", admin, response.Status)
	}
	return s, json.NewDecoder(io.LimitReader(response.Body, statusBytes)).Decode(&s)
}
