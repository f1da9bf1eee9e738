package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestFieldsAreDocumented looks for every field of the JSON output in its document.
func TestFieldsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/formats/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]reflect.Type{
		"pods": reflect.TypeFor[pod](), "services": reflect.TypeFor[service](), "flows": reflect.TypeFor[conversation](),
		"switches": reflect.TypeFor[fabricSwitch](), "links": reflect.TypeFor[fabricLink](),
		"services --vips": reflect.TypeFor[front](), "timeline": reflect.TypeFor[happening](), "diff": reflect.TypeFor[difference](),
		"port": reflect.TypeFor[dweller](), "impact": reflect.TypeFor[impact](),
		"accounting": reflect.TypeFor[accountedPort](),
	}
	for name, object := range sections {
		_, section, ok := strings.Cut(string(text), "\n## "+name+"\n")
		if !ok {
			t.Fatalf("no section %s", name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		checkFields(t, name, section, object)
	}
}

func checkFields(t *testing.T, name, section string, object reflect.Type) {
	t.Helper()
	for object.Kind() == reflect.Slice || object.Kind() == reflect.Pointer {
		object = object.Elem()
	}
	if object.Kind() != reflect.Struct || object.PkgPath() == "time" {
		return
	}
	for i := range object.NumField() {
		if !object.Field(i).IsExported() {
			continue
		}
		field, _, _ := strings.Cut(object.Field(i).Tag.Get("json"), ",")
		if field == "" {
			t.Errorf("%s: %s.%s has no name in JSON", name, object.Name(), object.Field(i).Name)
		}
		// The places of a member are documented with those of pods.
		if object != reflect.TypeFor[attachment]() || name == "pods" {
			if !strings.Contains(section, "`"+field+"`") {
				t.Errorf("%s: %s is not documented", name, field)
			}
		}
		checkFields(t, name, section, object.Field(i).Type)
	}
}
