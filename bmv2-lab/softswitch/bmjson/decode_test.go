package bmjson

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const testdata = "../engine/testdata/"

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDecodesWhatP4cWrites(t *testing.T) {
	for _, name := range []string{"parse", "match", "state", "replicate", "indirect", "rare"} {
		if _, err := Decode([]byte(read(t, testdata+name+".json"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestErrorsNameThePlace changes one spot of a good document and expects the error for it.
func TestErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"match", `"match_type" : "range"`, `"match_type" : "foo"`,
			`pipelines[0].tables[7].key[0].match_type: "foo" is not supported`},
		{"match", `"with_counters" : true`, `"with_counters" : 7`,
			`pipelines[0].tables[4].with_counters: is a number, but has to be a boolean`},
		{"match", `"version" : [2, `, `"version" : [3, `, `__meta__.version[0]: format version 3 is not supported`},
		{"match", `"max_size" : 2,`, `"max_size" : -2,`, `pipelines[0].tables[1].max_size: -2 is not an integer`},
		{"match", `"type" : "simple"`, `"type" : "clever"`, `pipelines[0].tables[0].type: "clever" is not supported`},
		{"match", `"op" : "mark_to_drop"`, `"op" : "mark_to_keep"`, `op: primitive "mark_to_keep" is not supported`},
		{"match", `"header_type" : "h_t"`, `"header_type" : "x_t"`, `header_type: there is no header type "x_t"`},
		{"match", `"with_counters" : true`, `"with_colours" : true`, `pipelines[0].tables[4].with_colours: attribute "with_colours" is not known`},
		{"match", `"__HIT__" : "tbl_match45"`, `"__HIT__" : "I.t_exact"`, `the control flow comes back to table "I.t_exact"`},
		{"match", `"init_table" : "`, `"init_table" : "no_`, `pipelines[0].init_table: there is no table, conditional or action call`},
		{"state", `"algo" : "crc32"`, `"algo" : "md5"`, `algo: "md5" is not supported`},
		{"state", `"bitwidth" : 600`, `"bitwidth" : 0`, `register_arrays[0].bitwidth: 0 is not an integer from 1 to`},
		{"state", `"op" : "_jump_if_zero"`, `"op" : "_jump"`, `primitive "_jump" has 2 parameters, but has to have 1`},
		{"state", `"register_array"`, `"counter_array"`, `type: is "counter_array", but has to be "register_array"`},
		{"state", `"op" : "usat_cast"`, `"op" : "mystery"`, `op: "mystery" is not supported`},
		{"parse", `"op" : "extract_VL"`, `"op" : "extract_XL"`, `op: "extract_XL" is not supported`},
		{"parse", `"next_state" : "tail"`, `"next_state" : "nose"`, `next_state: there is no parser state "nose"`},
		{"parse", `"type" : "lookahead"`, `"type" : "lookbehind"`, `type: "lookbehind" is not supported`},
		{"replicate", `"extern_instances" : []`, `"extern_instances" : [{"type" : "magic"}]`, `extern_instances[0]: extern type "magic" is not supported`},
		{"replicate", `"pipelines" : [`, `"pipelines" : [[],`, `pipelines[0]: is an array, but has to be an object`},
		{"rare", `["data", "*"]`, `["data", "*", false, true]`, `fields[1][3]: a field of variable length cannot be saturating`},
		{"rare", `"algo" : "random"`, `"algo" : "round_robin"`, `"round_robin" is not supported`},
		{"replicate", `"name" : "standard_metadata",
      "id" : 1,
      "header_type"`, `"name" : "standard_metadata",
      "id" : 0,
      "header_type"`, `headers[1].id: 0 is there twice`},
	} {
		doc := read(t, testdata+c.file+".json")
		changed := strings.Replace(doc, c.old, c.new, 1)
		if changed == doc {
			t.Errorf("%s: %s is not in the document", c.file, c.old)
			continue
		}
		_, err := Decode([]byte(changed))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s:\n got %v\nwant %s", c.file, c.new, err, c.want)
		}
	}
}

func TestBrokenDocuments(t *testing.T) {
	for _, doc := range []string{
		"", "{", "[", "null", "7", `{"a":}`, `{} {}`, `{"pipelines":[]}`, `{"headers":7}`, "\x00",
		`{"headers":[],"headers":[]}`, strings.Repeat("[", 5000), strings.Repeat(`{"a":`, 5000),
	} {
		if _, err := Decode([]byte(doc)); err == nil {
			t.Errorf("%.20q was accepted", doc)
		}
	}
}

// TestOtherSpellings changes a document to what means the same.
func TestOtherSpellings(t *testing.T) {
	for _, c := range []struct{ what, old, new string }{
		{"an operator's old name", `"dereference_header_stack"`, `"dereference_stack"`},
		{"an assignment in the deparser", `"primitives" : []`, `"primitives" : [{"op" : "set", "parameters" : [
			{"type" : "field", "value" : ["h", "u"]}, {"type" : "hexstr", "value" : "0x07"}]}]`},
		{"a union in a stack, called a header", `"op" : "d2b",
              "left" : null,
              "right" : {
                "type" : "field",
                "value" : ["v", "$valid$"]
              }`, `"op" : "valid_union", "left" : null, "right" : {"type" : "header", "value" : "us[0]"}`},
	} {
		doc := read(t, testdata+"rare.json")
		changed := strings.Replace(doc, c.old, c.new, 1)
		if changed == doc {
			t.Errorf("%s: %s is not in the document", c.what, c.old)
			continue
		}
		if _, err := Decode([]byte(changed)); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// A document that ends too early is told so, with the place where it ends.
func TestTruncatedDocuments(t *testing.T) {
	doc := read(t, testdata+"match.json")
	doc = strings.TrimRight(doc, "\n")
	for n := 0; n < len(doc); n += 1 + n/50 {
		_, err := Decode([]byte(doc[:n]))
		place := 0
		if err == nil {
			t.Fatalf("the first %d of %d bytes are a program", n, len(doc))
		}
		if _, scanErr := fmt.Sscanf(err.Error(), "BMv2 JSON: near byte %d: ", &place); scanErr != nil || place > n || place < n-200 {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}
