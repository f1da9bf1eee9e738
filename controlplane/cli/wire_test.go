package cli

import (
	"slices"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/protobuf/proto"
)

// FuzzNote reads responses by hand and with the generated package: what that can read is read alike, and nothing panics.
func FuzzNote(f *testing.F) {
	for _, resp := range responses() {
		b, err := proto.Marshal(resp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := newNoteReader().read(b)
		var resp gpb.SubscribeResponse
		if proto.Unmarshal(b, &resp) != nil || !canonical(b, &resp) {
			return
		}
		if err != nil {
			t.Fatalf("%v: %v", &resp, err)
		}
		if want := noteOf(&resp); !equalNotes(n, want) {
			t.Fatalf("%v is read as\n%+v, want\n%+v", &resp, n, want)
		}
	})
}

// canonical says whether a message is written as it is: one with fields that are there twice is read as the last or as all.
func canonical(b []byte, resp *gpb.SubscribeResponse) bool {
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(resp)
	return err == nil && slices.Equal(again, b)
}

func responses() []*gpb.SubscribeResponse {
	elem := func(name string, keys map[string]string) *gpb.PathElem { return &gpb.PathElem{Name: name, Key: keys} }
	list := &gpb.TypedValue{Value: &gpb.TypedValue_LeaflistVal{LeaflistVal: &gpb.ScalarArray{Element: []*gpb.TypedValue{
		{Value: &gpb.TypedValue_StringVal{StringVal: "10.0.0.1"}}, {Value: &gpb.TypedValue_StringVal{StringVal: ""}}}}}}
	update := func(v *gpb.TypedValue, path ...*gpb.PathElem) *gpb.Update {
		return &gpb.Update{Path: &gpb.Path{Elem: path}, Val: v}
	}
	return []*gpb.SubscribeResponse{
		{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}},
		{Response: &gpb.SubscribeResponse_Update{Update: &gpb.Notification{Timestamp: 5, Atomic: true,
			Prefix: &gpb.Path{Target: target, Elem: []*gpb.PathElem{elem("services", nil), elem("service", map[string]string{"name": "a", "namespace": "b"})}},
			Update: []*gpb.Update{update(list, elem("state", nil), elem("ip", nil)),
				update(&gpb.TypedValue{Value: &gpb.TypedValue_IntVal{IntVal: -3}}, elem("state", nil), elem("offset", nil)),
				update(&gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: 1 << 60}}, elem("state", nil), elem("since", nil)),
				update(&gpb.TypedValue{Value: &gpb.TypedValue_BoolVal{BoolVal: true}}, elem("ready", nil)),
				update(&gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: "é"}}, elem("label", map[string]string{"key": ""}))},
			Delete: []*gpb.Path{{}, {Elem: []*gpb.PathElem{elem("labels", nil)}}}}}},
	}
}

// noteOf is a response as its note.
func noteOf(resp *gpb.SubscribeResponse) *note {
	n := &note{at: resp.GetUpdate().GetTimestamp(), sync: resp.GetSyncResponse(), atomic: resp.GetUpdate().GetAtomic(), prefix: elementsOf(resp.GetUpdate().GetPrefix())}
	for _, u := range resp.GetUpdate().GetUpdate() {
		n.updates = append(n.updates, leafUpdate{elementsOf(u.GetPath()), valueOf(u.GetVal())})
	}
	for _, d := range resp.GetUpdate().GetDelete() {
		n.deletes = append(n.deletes, elementsOf(d))
	}
	return n
}

func elementsOf(p *gpb.Path) (out []element) {
	for _, e := range p.GetElem() {
		out = append(out, elementOf(e))
	}
	return out
}

func valueOf(v *gpb.TypedValue) (out value) {
	switch v := v.GetValue().(type) {
	case *gpb.TypedValue_StringVal:
		out = value{kind: typedString, text: v.StringVal}
	case *gpb.TypedValue_IntVal:
		out = value{kind: typedInt, number: uint64(v.IntVal)}
	case *gpb.TypedValue_UintVal:
		out = value{kind: typedUint, number: v.UintVal}
	case *gpb.TypedValue_BoolVal:
		if out.kind = typedBool; v.BoolVal {
			out.number = 1
		}
	case *gpb.TypedValue_LeaflistVal:
		out.kind = typedLeaflist
		for _, e := range v.LeaflistVal.GetElement() {
			out.list = append(out.list, e.GetStringVal())
		}
	}
	return out
}

func equalNotes(a, b *note) bool {
	elements := func(a, b []element) bool {
		return slices.EqualFunc(a, b, func(a, b element) bool { return a.name == b.name && slices.Equal(a.keys, b.keys) })
	}
	updates := func(a, b leafUpdate) bool {
		return elements(a.path, b.path) && a.value.kind == b.value.kind && a.value.number == b.value.number && a.value.text == b.value.text &&
			slices.Equal(a.value.list, b.value.list)
	}
	return a.at == b.at && a.sync == b.sync && a.atomic == b.atomic && elements(a.prefix, b.prefix) && slices.EqualFunc(a.updates, b.updates, updates) &&
		slices.EqualFunc(a.deletes, b.deletes, elements)
}
