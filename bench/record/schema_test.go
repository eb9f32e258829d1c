package record

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write docs/result.schema.json anew")

const schemaFile = "../../docs/result.schema.json"

// schema describes Result as JSON, with the comments of its fields.
func schema(t *testing.T) []byte {
	t.Helper()
	r := jsonschema.Reflector{
		AllowAdditionalProperties: true, // readers ignore what they do not know
		BaseSchemaID:              "",
		Anonymous:                 true,
		Mapper: func(typ reflect.Type) *jsonschema.Schema {
			switch typ {
			case reflect.TypeFor[Sum]():
				return &jsonschema.Schema{Type: "integer"}
			case reflect.TypeFor[Verdict]():
				return &jsonschema.Schema{Type: "string", Enum: []any{Valid, Degraded, Invalid}}
			case reflect.TypeFor[json.RawMessage]():
				return jsonschema.TrueSchema
			}
			return nil
		},
	}
	if err := r.AddGoComments("paxosbench/bench/record", "."); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(&Result{})
	s.Title, s.Description = "result.json of "+Schema, "What a run of loadgen leaves. docs/loadgen.md explains the keys."
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// The committed schema is that of the program, and a result of the program is valid by it; what is not a result is not.
func TestSchema(t *testing.T) {
	text := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(kept, text) {
		t.Fatalf("%s is not that of the program (%v): go test ./bench/record -run TestSchema -update", schemaFile, err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource("result.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("result.json")
	if err != nil {
		t.Fatal(err)
	}
	r := resultOf(t, "a", samples(6, 1000), Valid)
	r.Reasons, r.Checks, r.Replicas, r.Config = []string{}, []Check{{Severity: Invalid}}, []Replica{}, map[string]any{"keys": "100k"}
	result, err := r.MarshalIndented()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, old, new string
		valid          bool
	}{
		{"result", "", "", true},
		{"more keys", `"verdict": "valid"`, `"verdict": "valid", "other": 1`, true},
		{"another verdict", `"verdict": "valid"`, `"verdict": "good"`, false},
		{"no operations", `"ops": {`, `"opera": {`, false},
		{"a count that is a text", `"scheduled": `, `"scheduled": "", "was": `, false},
	} {
		value, err := validator.UnmarshalJSON(strings.NewReader(strings.Replace(string(result), tt.old, tt.new, 1)))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if err := compiled.Validate(value); (err == nil) != tt.valid {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
