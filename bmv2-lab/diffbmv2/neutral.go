package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// neutral changes a compiled program so that nothing in it depends on the clock, on chance, or on
// what BMv2 leaves undefined. Both switches run the result.
//
//   - The time stamps and queue lengths of standard_metadata become fields of a header that nobody
//     writes: zero.
//   - random yields its lower bound.
//   - assert and assume hold: a failure ends simple_switch_grpc.
//   - All fields of headers begin as zero, in a state before the parser's first: BMv2 leaves in an invalid
//     header what an earlier packet had there.
//   - Indices of counters, registers and meters are taken modulo their size: a release build of
//     simple_switch_grpc writes beyond the end of the array.
func neutral(text []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	n := neutralizer{sizes: map[string]json.Number{}}
	for _, arrays := range []string{"counter_arrays", "register_arrays", "meter_arrays"} {
		for _, a := range list(doc[arrays]) {
			x, _ := a.(map[string]any)
			if size, ok := x["size"].(json.Number); ok {
				n.sizes[fmt.Sprint(x["name"])] = size
			}
		}
	}
	for _, part := range []string{"actions", "parsers", "pipelines", "learn_lists", "field_lists", "calculations", "checksums"} {
		n.walk(doc[part])
	}
	addClock(doc)
	addBeginning(doc)
	return json.Marshal(doc)
}

// clockHeader is the header that stands for the clock.
const clockHeader = "diff_clock"

func clockFields() []string {
	return []string{"ingress_global_timestamp", "egress_global_timestamp", "enq_timestamp", "enq_qdepth", "deq_timedelta", "deq_qdepth"}
}

// addClock declares the header.
func addClock(doc map[string]any) {
	fields := []any{}
	for _, f := range clockFields() {
		width := 32
		switch f {
		case "ingress_global_timestamp", "egress_global_timestamp":
			width = 48
		case "enq_qdepth", "deq_qdepth":
			width = 19
		}
		fields = append(fields, []any{f, width, false})
	}
	fields = append(fields, []any{"_padding", 2, false})
	types, headers := list(doc["header_types"]), list(doc["headers"])
	doc["header_types"] = append(types, map[string]any{"name": clockHeader + "_t", "id": len(types), "fields": fields})
	doc["headers"] = append(headers, map[string]any{"name": clockHeader, "id": len(headers), "header_type": clockHeader + "_t",
		"metadata": true, "pi_omit": true})
}

// addBeginning puts a state before the parser's first one.
func addBeginning(doc map[string]any) {
	ops := []any{}
	types := map[string][]any{}
	for _, t := range list(doc["header_types"]) {
		x, _ := t.(map[string]any)
		types[fmt.Sprint(x["name"])] = list(x["fields"])
	}
	for _, h := range list(doc["headers"]) {
		x, _ := h.(map[string]any)
		if x["metadata"] == true {
			continue
		}
		for _, f := range types[fmt.Sprint(x["header_type"])] {
			if l := list(f); len(l) >= 2 && l[1] != "*" {
				ops = append(ops, map[string]any{"op": "set", "parameters": []any{
					map[string]any{"type": "field", "value": []any{x["name"], l[0]}}, constant("0x0")}})
			}
		}
	}
	for _, p := range list(doc["parsers"]) {
		x, _ := p.(map[string]any)
		states := list(x["parse_states"])
		x["parse_states"] = append(states, map[string]any{"name": "diff_beginning", "id": len(states), "parser_ops": ops,
			"transition_key": []any{}, "transitions": []any{map[string]any{"type": "default", "value": nil, "mask": nil, "next_state": x["init_state"]}}})
		x["init_state"] = "diff_beginning"
	}
}

func constant(text string) map[string]any { return map[string]any{"type": "hexstr", "value": text} }

func list(x any) []any {
	l, _ := x.([]any)
	return l
}

// neutralizer knows the sizes of the arrays by name.
type neutralizer struct{ sizes map[string]json.Number }

func (n neutralizer) walk(x any) {
	switch x := x.(type) {
	case []any:
		if len(x) == 2 && x[0] == "standard_metadata" {
			if f, ok := x[1].(string); ok && slices.Contains(clockFields(), f) {
				x[0] = clockHeader
			}
		}
		for _, e := range x {
			n.walk(e)
		}
	case map[string]any:
		if op, ok := x["op"].(string); ok {
			n.primitive(op, x)
		}
		for _, e := range x {
			n.walk(e)
		}
	}
}

// primitive changes a primitive.
func (n neutralizer) primitive(op string, x map[string]any) {
	params := list(x["parameters"])
	switch {
	case op == "modify_field_rng_uniform" && len(params) == 3:
		x["op"], x["parameters"] = "assign", params[:2]
	case (op == "assert" || op == "assume") && len(params) == 1:
		x["parameters"] = []any{constant("0x1")}
	case op == "count" && len(params) == 2:
		n.bound(params, 0, 1)
	case op == "register_read" && len(params) == 3:
		n.bound(params, 1, 2)
	case op == "register_write" && len(params) == 3:
		n.bound(params, 0, 1)
	case op == "execute_meter" && len(params) == 3:
		n.bound(params, 0, 1)
	}
}

// bound takes an index modulo the size of its array.
func (n neutralizer) bound(params []any, array, index int) {
	a, _ := params[array].(map[string]any)
	size, ok := n.sizes[fmt.Sprint(a["value"])]
	count, err := size.Int64()
	if !ok || err != nil || count <= 0 {
		return
	}
	params[index] = map[string]any{"type": "expression", "value": map[string]any{"type": "expression", "value": map[string]any{
		"op": "%", "left": params[index], "right": map[string]any{"type": "hexstr", "value": fmt.Sprintf("0x%x", count)}}}}
}
