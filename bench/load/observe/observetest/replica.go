// Package observetest makes up replicas to look at.
package observetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Replica serves /status and /metrics as the given functions write them, and returns its address.
func Replica(t *testing.T, status, metrics func() string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, status()) })
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, metrics()) })
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return strings.TrimPrefix(server.URL, "http://")
}
