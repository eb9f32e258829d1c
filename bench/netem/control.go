package netem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"paxosbench/wire"
)

// Control answers requests of other processes about a network: GET / for the faults, POST / with the form values replica
// and fault to set one.
type Control struct {
	listener net.Listener
	server   *http.Server
}

// Serve answers requests about a network on a port of its own on the loopback interface, until closed.
func (n *Network) Serve() (*Control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Control{listener, &http.Server{Handler: n}}
	go c.server.Serve(listener)
	return c, nil
}

// Addr is where to ask.
func (c *Control) Addr() string { return c.listener.Addr().String() }

// Close ends the answering.
func (c *Control) Close() error { return c.server.Close() }

// ServeHTTP implements http.Handler.
func (n *Network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		id, err := strconv.ParseUint(r.FormValue("replica"), 10, 8)
		if err == nil {
			err = n.Set(wire.ReplicaID(id), Fault(r.FormValue("fault")))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(n.Faults()) // fails if whoever asked has gone
}

// SetFault asks the control at an address to give a replica a fault, and returns the faults that replicas then have.
func SetFault(ctx context.Context, addr string, id wire.ReplicaID, fault Fault) (map[wire.ReplicaID]Fault, error) {
	form := url.Values{"replica": {fmt.Sprint(id)}, "fault": {string(fault)}}
	return ask(ctx, http.MethodPost, addr, strings.NewReader(form.Encode()))
}

// Faults asks the control at an address for the faults that replicas have.
func Faults(ctx context.Context, addr string) (map[wire.ReplicaID]Fault, error) {
	return ask(ctx, http.MethodGet, addr, nil)
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

func ask(ctx context.Context, method, addr string, form io.Reader) (faults map[wire.ReplicaID]Fault, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+addr+"/", form)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the network between the replicas does not answer: %w", err)
	}
	defer response.Body.Close()
	body := io.LimitReader(response.Body, maxAnswer)
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(body)
		return nil, errors.Join(err, errors.New(strings.TrimSpace(string(text))))
	}
	return faults, json.NewDecoder(body).Decode(&faults)
}
