package replica

import (
	"strings"
	"testing"

	"paxosbench/replica/transport"
)

// The limit of open files must hold what the flags allow, or the replica says what it needs. What is left goes to clients
// that are handed on.
func TestDescriptors(t *testing.T) {
	c := Default()
	c.MaxClients = 100
	fixed := new(descriptors)
	*fixed = c.descriptors()
	rest := fixed.sum() - 100
	for _, tt := range []struct {
		clients   int
		forward   bool
		limit     int
		forwarded int
		refused   string // part of the error
	}{
		{100, false, rest + 100, 0, ""},
		{100, false, rest + 99, 0, "the limit is"},
		{100, true, rest + 200, 100, ""},
		{100, true, 1 << 20, 100, ""},
		{100, true, rest + 199, 0, "100 for handing them on (forward)"},
		{10000, true, rest + 10000 + leastForwarded, leastForwarded, ""},
		{10000, true, 20000, 20000 - rest - 10000, ""},
		{10000, true, 1 << 20, 10000, ""},
		{10000, true, 11000, 0, "raise it (ulimit -n) or allow fewer clients (max-clients)"},
		{1 << 20, false, 1 << 20, 0, "1048576 for clients (max-clients)"},
	} {
		c.MaxClients, c.Forward = tt.clients, tt.forward
		d := c.descriptors()
		err := d.fit(uint64(tt.limit), c.MaxClients)
		switch {
		case tt.refused != "":
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%+v: %v", tt, err)
			}
		case err != nil || d.forwarded != tt.forwarded || d.sum() > tt.limit:
			t.Errorf("%+v: %d for handing on, %d in all, %v", tt, d.forwarded, d.sum(), err)
		}
	}
	if rest > 512 {
		t.Errorf("%d descriptors besides those of clients", rest)
	}
	t.Logf("%d descriptors besides those of clients: %v", rest, fixed)
}

// Those that prove who they are have descriptors besides those that have.
func TestDescriptorsWithTLS(t *testing.T) {
	c := Default()
	plain := c.descriptors()
	c.TLS = "tls"
	need := c.descriptors()
	if more := need.sum() - plain.sum(); more != transport.SecuredFiles {
		t.Errorf("%d descriptors more, want %d", more, transport.SecuredFiles)
	}
	if err := need.fit(uint64(need.sum()), c.MaxClients); err != nil {
		t.Error(err)
	}
	if err := need.fit(uint64(need.sum()-1), c.MaxClients); err == nil {
		t.Error("one too few are enough")
	}
}
