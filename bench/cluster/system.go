package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"paxosbench/wire"
)

// System describes the processes of another system than this project's, so that clusters of it answer to the same words. Texts
// are templates over a Node; an argument that comes out empty is left out.
type System struct {
	Name string `yaml:"name"`
	// Driver is what the load generator reaches it by, Install the command that installs what Run needs.
	Driver  string `yaml:"driver"`
	Install string `yaml:"install"`
	// Needs are programs and files without which it is not installed.
	Needs []string `yaml:"needs"`
	// Replicas is how many processes make a cluster; 0: as many as are asked for.
	Replicas int `yaml:"replicas"`
	// Durability are the words of replicas' --durability that it has a meaning for.
	Durability []string `yaml:"durability"`
	// Run is the command line of a process: a program, and its arguments.
	Run []string `yaml:"run"`
	// Files are what its data directory holds before the first start, by name.
	Files map[string]string `yaml:"files"`
	// Probe is how to see what part a process plays.
	Probe Probe `yaml:"probe"`
}

// Probe is a question to a process, and what its answer shows. The connection may be kept open after the answer or not.
type Probe struct {
	Address string `yaml:"address" json:"address"`
	// Say is what is sent, unchanged.
	Say Question `yaml:"say" json:"say"`
	// Leader and Follower are regular expressions that fit the answer of a process which plays that part. One that fits
	// neither is not ready.
	Leader   string `yaml:"leader" json:"leader"`
	Follower string `yaml:"follower" json:"follower"`
}

// Question is any bytes, which JSON keeps as they are.
type Question string

// MarshalJSON implements json.Marshaler.
func (q Question) MarshalJSON() ([]byte, error) { return json.Marshal([]byte(q)) }

// UnmarshalJSON implements json.Unmarshaler.
func (q *Question) UnmarshalJSON(text []byte) error {
	var said []byte
	err := json.Unmarshal(text, &said)
	*q = Question(said)
	return err
}

// Node is what a template of a System can name.
type Node struct {
	ID                  wire.ReplicaID
	Client, Peer, Admin string // addresses; the system may use each for what it likes
	Data                string // directory, which is there
	Bin                 string // directory of this project's programs
	Durability          string
	Cluster             string // the cluster's id
	Members             []Member
}

// templateFuncs take addresses apart for those who write them otherwise.
var templateFuncs = template.FuncMap{
	"port": func(addr string) (string, error) { _, port, err := net.SplitHostPort(addr); return port, err },
	"host": func(addr string) (string, error) { host, _, err := net.SplitHostPort(addr); return host, err },
}

// ParseSystem reads a description from YAML. source names the text in errors.
func ParseSystem(source string, text []byte) (*System, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var s System
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return &s, nil
}

func (s *System) validate() error {
	var errs []error
	if s.Name == "" || len(s.Run) == 0 || s.Probe.Say == "" || s.Probe.Leader == "" {
		errs = append(errs, errors.New("name, run, probe.say and probe.leader are needed, and one is missing"))
	}
	if s.Replicas != 0 {
		errs = append(errs, CheckReplicas(s.Replicas))
	}
	for name := range s.Files {
		if name != filepath.Base(name) {
			errs = append(errs, fmt.Errorf("files: %q: want a name in the data directory", name))
		}
	}
	for _, pattern := range []string{s.Probe.Leader, s.Probe.Follower} {
		_, err := regexp.Compile(pattern)
		errs = append(errs, err)
	}
	trial := Member{ID: 1, Client: loopback(1), Peer: loopback(2), Admin: loopback(3), Data: "data"}
	_, err := s.render(&Node{ID: 1, Client: trial.Client, Peer: trial.Peer, Admin: trial.Admin, Data: trial.Data, Members: []Member{trial}})
	return errors.Join(append(errs, err)...)
}

// CheckDurability refuses one that the system has no meaning for.
func (s *System) CheckDurability(word string) error {
	if !slices.Contains(s.Durability, word) {
		return fmt.Errorf("durability %s: %s has %s", word, s.Name, strings.Join(s.Durability, ", "))
	}
	return nil
}

// Missing returns the first that is not there of what the system needs, empty if it is installed. Bin is the directory of this
// project's programs.
func (s *System) Missing(bin string) string {
	for _, need := range s.Needs {
		filled, err := fillIn(need, &Node{Bin: bin})
		if err == nil && filepath.IsAbs(filled) {
			_, err = os.Stat(filled)
		} else if err == nil {
			_, err = exec.LookPath(filled)
		}
		if err != nil {
			return cmp.Or(filled, need)
		}
	}
	return ""
}

// fillIn fills in a template.
func fillIn(text string, n *Node) (string, error) {
	t, err := template.New("").Funcs(templateFuncs).Parse(text)
	if err != nil {
		return "", err
	}
	var filled strings.Builder
	err = t.Execute(&filled, n)
	return filled.String(), err
}

// rendered is a System as it is for one node.
type rendered struct {
	run   []string
	files map[string]string
	probe Probe
}

func (s *System) render(n *Node) (r rendered, err error) {
	text := func(template string) string {
		filled, fillErr := fillIn(template, n)
		err = errors.Join(err, fillErr)
		return filled
	}
	for _, arg := range s.Run {
		if arg = text(arg); arg != "" {
			r.run = append(r.run, arg)
		}
	}
	r.files = make(map[string]string, len(s.Files))
	for name, content := range s.Files {
		r.files[name] = text(content)
	}
	r.probe = s.Probe
	r.probe.Address = text(s.Probe.Address)
	return r, err
}

// prepare makes of a member a process of the system.
func (s *System) prepare(c *Config, state *State, m *Member) error {
	r, err := s.render(&Node{
		ID: m.ID, Client: m.Client, Peer: m.Peer, Admin: m.Admin, Data: m.Data, Bin: c.Bin, Durability: c.Durability,
		Cluster: state.Cluster, Members: state.Members,
	})
	if err == nil {
		err = os.MkdirAll(m.Data, 0o755)
	}
	if err != nil {
		return err
	}
	for name, text := range r.files {
		err = errors.Join(err, os.WriteFile(filepath.Join(m.Data, name), []byte(text), 0o644))
	}
	m.Program, m.Args, m.Probe = r.run[0], append(r.run[1:], c.Flags...), &r.probe
	return err
}

// ask returns what part a process plays, as far as it says.
func (p *Probe) ask(ctx context.Context, id wire.ReplicaID) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return Status{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, string(p.Say)); err != nil {
		return Status{}, err
	}
	leader, err1 := regexp.Compile(p.Leader)
	follower, err2 := regexp.Compile(p.Follower)
	if err := errors.Join(err1, err2); err != nil {
		return Status{}, err
	}
	answer, chunk := []byte(nil), make([]byte, 64<<10)
	for err == nil && len(answer) < statusBytes {
		var n int
		n, err = conn.Read(chunk)
		answer = append(answer, chunk[:n]...)
		switch {
		case leader.Match(answer):
			return Status{ID: id, Role: "leader", Leader: id}, nil
		case p.Follower != "" && follower.Match(answer):
			return Status{ID: id, Role: "follower"}, nil
		}
	}
	return Status{ID: id}, fmt.Errorf("node %d answers neither as leader nor as follower: %.100q", id, answer)
}

// agree has those that follow, as they have said, follow the one that leads. A probe does not tell whom a node follows.
func agree(found []Status, members []Member) {
	leader := newestLeader(found)
	for i := range found {
		if members[i].Probe != nil && found[i].Role == "follower" {
			found[i].Leader = leader
		}
	}
}
