package gnmi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/goyang/pkg/yang"
	"github.com/openconfig/ygot/util"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
	"github.com/fabricscope/fabricscope/models"
)

// TestEveryLeafInEveryEncoding asks for everything in each encoding, and wants each value in the form that its YANG type
// has there (specification, sections 2.2.3 and 2.3; RFC 7951, section 6), and the same value in all of them.
func TestEveryLeafInEveryEncoding(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	schema, err := models.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"fabric", "leaf1"} {
		meant := map[string]string{} // by path, as PROTO has it
		for _, enc := range []gpb.Encoding{gpb.Encoding_PROTO, gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_ASCII} {
			kinds := map[yang.TypeKind]int{}
			for path, v := range everyLeaf(t, client.Client, target, enc) {
				e := schemaOf(t, schema.RootSchema(), path)
				kinds[e.Type.Kind]++
				said, err := read(e, enc, v)
				if err != nil {
					t.Errorf("%v of %v %s: %v is %v", enc, e.Type.Kind, path, v, err)
				}
				if enc == gpb.Encoding_PROTO {
					meant[path] = said
				}
				if said != meant[path] {
					t.Errorf("%v of %s says %q, and PROTO %q", enc, path, said, meant[path])
				}
			}
			for _, k := range kindsOf(target) {
				if kinds[k] == 0 {
					t.Errorf("%s in %v has no %v", target, enc, k)
				}
			}
		}
	}
}

// kindsOf are the types that leaves of a target have, as far as they look different in some encoding.
func kindsOf(target string) []yang.TypeKind {
	if target == "fabric" {
		return []yang.TypeKind{yang.Ystring, yang.Yunion, yang.Yenum, yang.Ybool, yang.Yuint16, yang.Yuint32, yang.Yuint64, yang.Yint64}
	}
	return []yang.TypeKind{yang.Yidentityref, yang.Yenum, yang.Ybool, yang.Yuint32, yang.Yuint64}
}

// everyLeaf subscribes once to all of a target and gives the values by their path.
func everyLeaf(t *testing.T, client gpb.GNMIClient, target string, enc gpb.Encoding) map[string]*gpb.TypedValue {
	t.Helper()
	stream, err := client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Prefix: &gpb.Path{Target: target}, Mode: gpb.SubscriptionList_ONCE, Encoding: enc,
		Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}},
	}}}); err != nil {
		t.Fatal(err)
	}
	values := map[string]*gpb.TypedValue{}
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			return values
		}
		n := resp.GetUpdate()
		for _, u := range n.GetUpdate() {
			values[join(n.GetPrefix(), u.GetPath())] = u.GetVal()
		}
	}
}

// schemaOf gives the leaf of the models at a path with keys; references lead to what they refer to.
func schemaOf(t *testing.T, at *yang.Entry, path string) *yang.Entry {
	t.Helper()
	p, err := api.NewGetRequest(api.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range p.GetPath()[0].GetElem() {
		if at = at.Dir[e.GetName()]; at == nil {
			t.Fatalf("no model has %s", path)
		}
	}
	leaf, err := util.ResolveIfLeafRef(at)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// read gives the value that a message has for a leaf, as PROTO would write it, or says what its form should be.
func read(e *yang.Entry, enc gpb.Encoding, v *gpb.TypedValue) (string, error) {
	switch enc {
	case gpb.Encoding_PROTO:
		return show(v), readScalar(e, e.IsLeafList(), v)
	case gpb.Encoding_ASCII:
		a, ok := v.GetValue().(*gpb.TypedValue_AsciiVal)
		if !ok {
			return "", fmt.Errorf("not ascii_val")
		}
		if strings.ContainsFunc(a.AsciiVal, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "", fmt.Errorf("not ASCII")
		}
		said := a.AsciiVal
		if e.IsLeafList() {
			said = strings.ReplaceAll(said, ",", " ")
		}
		return withoutModule(e, said), nil
	}
	text := v.GetJsonVal()
	if enc == gpb.Encoding_JSON_IETF {
		text = v.GetJsonIetfVal()
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var parsed any
	if err := d.Decode(&parsed); err != nil {
		return "", err
	}
	list, isList := parsed.([]any)
	if isList != e.IsLeafList() {
		return "", fmt.Errorf("a list: %v", isList)
	}
	if !isList {
		list = []any{parsed}
	}
	var words []string
	for _, one := range list {
		word, err := readJSON(e, enc == gpb.Encoding_JSON_IETF, one)
		if err != nil {
			return "", err
		}
		words = append(words, word)
	}
	return strings.Join(words, " "), nil
}

// readScalar wants the field of TypedValue that the type of a leaf has in PROTO.
func readScalar(e *yang.Entry, list bool, v *gpb.TypedValue) error {
	if list {
		if v.GetLeaflistVal() == nil {
			return fmt.Errorf("not leaflist_val")
		}
		for _, one := range v.GetLeaflistVal().GetElement() {
			if err := readScalar(e, false, one); err != nil {
				return err
			}
		}
		return nil
	}
	ok, want := false, ""
	switch e.Type.Kind {
	case yang.Yuint8, yang.Yuint16, yang.Yuint32, yang.Yuint64:
		_, ok = v.GetValue().(*gpb.TypedValue_UintVal)
		want = "uint_val"
	case yang.Yint8, yang.Yint16, yang.Yint32, yang.Yint64:
		_, ok = v.GetValue().(*gpb.TypedValue_IntVal)
		want = "int_val"
	case yang.Ybool:
		_, ok = v.GetValue().(*gpb.TypedValue_BoolVal)
		want = "bool_val"
	case yang.Ystring, yang.Yunion, yang.Yenum, yang.Yidentityref:
		_, ok = v.GetValue().(*gpb.TypedValue_StringVal)
		want = "string_val"
	default:
		return fmt.Errorf("a type that this test does not know")
	}
	if !ok {
		return fmt.Errorf("not %s", want)
	}
	return named(e, show(v))
}

// readJSON wants the form that the type of a leaf has in JSON; ietf as RFC 7951 has it.
func readJSON(e *yang.Entry, ietf bool, v any) (string, error) {
	number, isNumber := v.(json.Number)
	text, isText := v.(string)
	switch e.Type.Kind {
	case yang.Yuint64, yang.Yint64:
		if ietf != isText || !ietf && !isNumber {
			return "", fmt.Errorf("a string in JSON_IETF and a number in JSON")
		}
		return text + number.String(), nil
	case yang.Yuint8, yang.Yuint16, yang.Yuint32, yang.Yint8, yang.Yint16, yang.Yint32:
		if !isNumber {
			return "", fmt.Errorf("not a number")
		}
		return number.String(), nil
	case yang.Ybool:
		if _, ok := v.(bool); !ok {
			return "", fmt.Errorf("neither true nor false")
		}
		return fmt.Sprint(v), nil
	}
	if !isText {
		return "", fmt.Errorf("not a string")
	}
	if e.Type.Kind == yang.Yidentityref {
		if strings.Contains(text, ":") != ietf {
			return "", fmt.Errorf("with the name of the module in JSON_IETF only")
		}
		text = withoutModule(e, text)
	}
	return text, named(e, text)
}

// named wants a name that an enumeration or the base of an identity has.
func named(e *yang.Entry, word string) error {
	switch e.Type.Kind {
	case yang.Yenum:
		if !slices.Contains(e.Type.Enum.Names(), word) {
			return fmt.Errorf("not one of %q", e.Type.Enum.Names())
		}
	case yang.Yidentityref:
		if !slices.ContainsFunc(e.Type.IdentityBase.Values, func(i *yang.Identity) bool { return i.Name == word }) {
			return fmt.Errorf("no identity of %s", e.Type.IdentityBase.Name)
		}
	}
	return nil
}

// withoutModule gives the value of a leaf without the module of an identity.
func withoutModule(e *yang.Entry, text string) string {
	if e.Type.Kind == yang.Yidentityref {
		return text[strings.IndexByte(text, ':')+1:]
	}
	return text
}
