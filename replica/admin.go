package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// With --pprof, one in so many contended locks is recorded, and one block in so many nanoseconds blocked.
const (
	profileFraction = 100
	profileRate     = 100_000
)

// What the admin server puts up with. Its connections are among the descriptors that the transport sets aside: they must
// not take those of the journal.
const (
	maxAdminConns   = 64
	maxAdminHeader  = 16 << 10
	adminTimeout    = 10 * time.Second // of reading a request, writing an answer (profiles take longer), and being idle
	maxHealthAnswer = 2 * time.Second
)

// serveAdmin answers on the admin address until ctx is done. It does from the start, while the replica recovers.
func (r *Replica) serveAdmin(ctx context.Context) error {
	server := &http.Server{
		Handler: ownPagesOnly(r.adminHandler()), MaxHeaderBytes: maxAdminHeader, ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: adminTimeout, ReadTimeout: adminTimeout, WriteTimeout: adminTimeout, IdleTimeout: adminTimeout,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	err := server.Serve(&limitedListener{Listener: r.admin, places: make(chan struct{}, maxAdminConns)})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin server: %w", err)
}

func (r *Replica) adminHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{r})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", r.handleStatus)
	mux.HandleFunc("GET /healthz", r.handleHealth)
	mux.HandleFunc("GET /readyz", r.handleReady)
	if r.cfg.Pprof {
		runtime.SetMutexProfileFraction(profileFraction)
		runtime.SetBlockProfileRate(profileRate)
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// ownPagesOnly turns away what a web page of somebody else's would read. A browser asks for it on the page's behalf, from this
// host: across sites, or, when the page's name has been made to resolve to a loopback address, by that name.
func ownPagesOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if why := foreign(request); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, request)
	})
}

// foreign says what is wrong with a request that is not this host's own, or nothing.
func foreign(request *http.Request) string {
	if !isLoopback(request.Host) {
		return fmt.Sprintf("Host %q: ask for this server by a loopback address or as localhost", request.Host)
	}
	switch site := request.Header.Get("Sec-Fetch-Site"); site {
	case "", "none", "same-origin":
	default:
		return fmt.Sprintf("Sec-Fetch-Site %s: pages of other sites are not answered", site)
	}
	if origin := request.Header.Get("Origin"); origin != "" && origin != "http://"+request.Host {
		return fmt.Sprintf("Origin %q: pages of other sites are not answered", origin)
	}
	return ""
}

func (r *Replica) handleStatus(w http.ResponseWriter, request *http.Request) {
	s, err := r.Status(request.Context())
	if err != nil {
		unavailable(w, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // fails if the client has gone
}

// handleHealth answers whether the process and its loop live; one that recovers does.
func (r *Replica) handleHealth(w http.ResponseWriter, request *http.Request) {
	if r.loop.Load() == nil {
		fmt.Fprintln(w, RoleRecovering)
		return
	}
	if err := r.ask(request.Context(), maxHealthAnswer, func() {}); err != nil {
		unavailable(w, err.Error())
		return
	}
	fmt.Fprintln(w, "alive")
}

// handleReady answers whether the replica votes and knows a leader.
func (r *Replica) handleReady(w http.ResponseWriter, request *http.Request) {
	s, err := r.Status(request.Context())
	switch {
	case err != nil:
		unavailable(w, err.Error())
	case s.NotReady != "":
		unavailable(w, s.NotReady)
	default:
		fmt.Fprintln(w, "ready")
	}
}

func unavailable(w http.ResponseWriter, why string) {
	http.Error(w, why, http.StatusServiceUnavailable)
}

// limitedListener closes connections for which there is no place. They are not left to wait: what is asked here is of
// interest now or not at all.
type limitedListener struct {
	net.Listener
	places chan struct{}
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &placedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\nall places for admin connections are taken\n")
			_ = conn.Close()
		}
	}
}

// placedConn gives its place back when it is closed.
type placedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *placedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
