package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// recovering is a replica that reads its data: a little more at every look, if it gets on, and then it leads.
type recovering struct {
	looks atomic.Int64
	gets  bool
	after int64 // looks after which it leads
}

// ServeHTTP implements http.Handler.
func (r *recovering) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	looks := r.looks.Add(1)
	switch {
	case looks > r.after:
		fmt.Fprint(w, `{"role":"leader","ballot":"1.1","recovery":{"done":true,"bytes":1000}}`)
	case r.gets:
		fmt.Fprintf(w, `{"role":"recovering","ballot":"0.0","recovery":{"bytes":%d}}`, looks)
	default:
		fmt.Fprint(w, `{"role":"recovering","ballot":"0.0","recovery":{"bytes":7}}`)
	}
}

// A recovery is waited for as long as it gets on, however long it takes.
func TestWaitsForRecovery(t *testing.T) {
	for _, tt := range []struct {
		gets bool
		want error
	}{{true, nil}, {false, ErrNoLeader}} {
		replica := &recovering{gets: tt.gets, after: 150}
		server := httptest.NewServer(replica)
		defer server.Close()
		c, err := newCluster(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		c.timeout = time.Second // at most a hundred looks
		state := State{Format: stateFormat, Cluster: "7", Members: []Member{{ID: 1, Admin: strings.TrimPrefix(server.URL, "http://")}}}
		if err := state.write(c.dir); err != nil {
			t.Fatal(err)
		}
		if err := c.await(t.Context(), c.Err, c.settled); !errors.Is(err, tt.want) {
			t.Errorf("gets on %v: %v, want %v", tt.gets, err, tt.want)
		}
	}
}
