package replica

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// get asks the admin server of a replica without going over the network.
func get(r *Replica, path string) (int, string) {
	w := httptest.NewRecorder()
	r.adminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// While it recovers, a replica answers all questions but serves nobody.
func TestAdminWhileRecovering(t *testing.T) {
	c := valid()
	p := newProgress(t.Context(), t.TempDir())
	p.total = 1000
	p.read.Store(250)
	r := &Replica{cfg: &c, progress: p}
	code, text := get(r, "/status")
	var s Status
	if err := json.Unmarshal([]byte(text), &struct {
		Role     *string
		Recovery *Recovery
		Quorum1  *int
	}{&s.Role, &s.Recovery, &s.Quorum1}); err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v: %s", code, err, text)
	}
	if s.Role != RoleRecovering || s.Recovery.Bytes != 250 || s.Recovery.TotalBytes != 1000 || s.Recovery.Done || s.Quorum1 != 2 {
		t.Errorf("status %s", text)
	}
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/healthz": {http.StatusOK, "recovering"},
		"/readyz":  {http.StatusServiceUnavailable, "recovering: 250 of 1000 bytes"},
		"/metrics": {http.StatusOK, "paxosbench_recovery_bytes 250\n"},
		"/nothing": {http.StatusNotFound, ""},
	} {
		if code, text := get(r, path); code != want.code || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d, %s", path, code, text)
		}
	}
	if _, text := get(r, "/metrics"); !strings.Contains(text, `paxosbench_role{role="recovering"} 1`) {
		t.Errorf("no role in %s", text)
	}
}

// A page on the web must not read what its visitor's browser can reach.
func TestAdminTurnsWebPagesAway(t *testing.T) {
	handler := ownPagesOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	for _, test := range []struct {
		host, header, value string
		want                int
	}{
		{"127.0.0.1:7201", "", "", http.StatusOK},
		{"localhost:7201", "", "", http.StatusOK},
		{"localhost", "", "", http.StatusOK},
		{"[::1]:7201", "", "", http.StatusOK},
		{"[::1]", "", "", http.StatusOK},
		{"127.0.0.1", "Sec-Fetch-Site", "none", http.StatusOK},
		{"127.0.0.1:7201", "Origin", "http://127.0.0.1:7201", http.StatusOK},
		{"evil.example", "", "", http.StatusForbidden},
		{"evil.example:7201", "", "", http.StatusForbidden},
		{"127.0.0.1.evil.example:7201", "", "", http.StatusForbidden},
		{"localhost.evil.example", "", "", http.StatusForbidden},
		{"10.0.0.1:7201", "", "", http.StatusForbidden},
		{"", "", "", http.StatusForbidden},
		{"127.0.0.1:7201", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"127.0.0.1:7201", "Sec-Fetch-Site", "same-site", http.StatusForbidden},
		{"127.0.0.1:7201", "Origin", "http://evil.example", http.StatusForbidden},
		{"127.0.0.1:7201", "Origin", "null", http.StatusForbidden},
	} {
		request := httptest.NewRequest(http.MethodGet, "/status", nil)
		request.Host = test.host
		if test.header != "" {
			request.Header.Set(test.header, test.value)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code != test.want {
			t.Errorf("host %q, %s %q: %d, want %d: %s", test.host, test.header, test.value, w.Code, test.want, w.Body)
		}
	}
}

func TestAdminWhenReady(t *testing.T) {
	r := started(t, alone(t))
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": "alive\n", "/readyz": "ready\n", "/metrics": "paxosbench_ready 1\n", "/status": `"role":"leader"`,
	} {
		if code, text := get(r, path); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d, %s", path, code, text)
		}
	}
}

// Connections past the limit are told so and closed; each that is closed makes room for one.
func TestAdminConnectionsAreLimited(t *testing.T) {
	r := started(t, alone(t))
	ask := func(conn net.Conn) int {
		if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", r.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // some are closed before
		return conn
	}
	var held []net.Conn
	for range maxAdminConns {
		held = append(held, dial())
		if code := ask(held[len(held)-1]); code != http.StatusOK {
			t.Fatalf("connection %d: %d", len(held), code)
		}
	}
	if answer, err := http.ReadResponse(bufio.NewReader(dial()), nil); err != nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many: %v, %v", answer, err)
	}
	_ = held[0].Close()
	for {
		answer, err := http.Get("http://" + r.AdminAddr().String() + "/healthz")
		if err == nil && answer.StatusCode == http.StatusOK {
			_ = answer.Body.Close()
			break
		}
	}
}
