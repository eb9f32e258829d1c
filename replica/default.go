package replica

import (
	"encoding"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"time"
)

// Default returns the configuration that a replica has if no flag but --id and --member is given. The tags of Config say
// what that is.
func Default() Config {
	var c Config
	for s := range settings(&c) {
		if text, ok := s.tag.Lookup("default"); ok {
			if err := setText(s.value, text); err != nil {
				panic(fmt.Sprintf("BUG: default %q of %s: %v", text, s.name, err))
			}
		}
	}
	return c
}

// setting is one field of a Config.
type setting struct {
	name  string // as flags spell it
	tag   reflect.StructTag
	value reflect.Value
}

// settings yields the fields of a configuration that have a flag, in order.
func settings(c *Config) iter.Seq[setting] {
	return func(yield func(setting) bool) {
		v := reflect.ValueOf(c).Elem()
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag
			name, isSetting := tag.Lookup("name")
			if isSetting && !yield(setting{name, tag, v.Field(i)}) {
				return
			}
		}
	}
}

// setText sets a field to what the text says, as a flag would.
func setText(field reflect.Value, text string) error {
	switch target := field.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*target = d
		return err
	case *string:
		*target = text
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	field.Set(reflect.ValueOf(n).Convert(field.Type()))
	return nil
}
