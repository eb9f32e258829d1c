package expose

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"paxosbench/bench/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	e, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.Phase("measuring")
	for range 2 {
		e.Interval(&record.Row{Scheduled: 10, Sent: 9, OK: 7, Failed: 1, TimedOut: 1, OpsPerS: 70, InFlight: 2.5, P50Ns: 1e6, P99Ns: 2e6, MaxNs: 3e6,
			ServiceP50Ns: 5e5, ServiceP99Ns: 6e5, SendLagP99Ns: 7000})
	}
	code, text := get(t, "http://"+e.Addr()+"/metrics")
	for _, want := range []string{
		`phase{phase="measuring"} 1`, "scheduled_total 20", "sent_total 18", `operations_total{outcome="ok"} 14`,
		`operations_total{outcome="failed"} 2`, `operations_total{outcome="timed_out"} 2`, "operations_per_second 70", "in_flight 2.5",
		`latency_seconds{quantile="0.5"} 0.001`, `latency_seconds{quantile="1"} 0.003`, `service_seconds{quantile="0.99"} 0.0006`,
		`send_lag_seconds{quantile="0.99"} 7e-06`,
	} {
		if !strings.Contains(text, "\n"+prefix+want+"\n") {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) { // every sample stands behind what it is
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
		name, _, _ = strings.Cut(name, "{")
		if !strings.HasPrefix(line, "#") && !strings.Contains(text, "# TYPE "+name+" ") {
			t.Errorf("no type of %s", name)
		}
	}
	if code != http.StatusOK {
		t.Errorf("code %d", code)
	}
	if code, _ := get(t, "http://"+e.Addr()+"/other"); code != http.StatusNotFound {
		t.Errorf("code %d for what is not there", code)
	}
	if _, err := Listen(e.Addr()); err == nil || !strings.Contains(err.Error(), e.Addr()) {
		t.Errorf("two at one address: %v", err)
	}
}
