package cli

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// thing is one entry of a list of the models, with the leaves beneath it by their path from there, keys in
// brackets.
type thing struct {
	list   string // the path of the list without keys, as kubernetes/clusters/cluster/pods/pod
	keys   map[string]string
	leaves map[string]value
}

func (t *thing) text(leaf string) string    { return t.leaves["state/"+leaf].text }
func (t *thing) truth(leaf string) bool     { return t.leaves["state/"+leaf].truth() }
func (t *thing) number(leaf string) uint64  { return t.leaves["state/"+leaf].unsigned() }
func (t *thing) texts(leaf string) []string { return t.leaves["state/"+leaf].list }
func (t *thing) has(leaf string) bool       { _, ok := t.leaves["state/"+leaf]; return ok }

// step is a change of a thing: before is empty when it began, after when it ended. Both stay as they are.
type step struct {
	at            time.Time
	known         time.Time // when the daemon knew; zero for what there was at the beginning
	before, after *thing
}

// replay reads everything beneath paths as it was at a moment and how it changed until another: the history
// extension's range (docs/formats/gnmi.md). each is called for every thing that there was at the first moment, and
// then for every change, in the order in which they came to be known.
func (o *options) replay(ctx context.Context, client gpb.GNMIClient, since, until time.Time, paths []*gpb.Path, each func(step)) error {
	p := o.patience(ctx)
	defer p.end()
	stream, err := client.Subscribe(p, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return o.explain(p.explain(err))
	}
	if err := stream.Send(rangeRequest(since, until, paths)); err != nil && !errors.Is(err, io.EOF) {
		return o.explain(err)
	}
	known, reader := newThings(), newNoteReader()
	var resp encoded
	for initial := true; ; {
		p.wait()
		err := stream.RecvMsg(&resp)
		p.came()
		switch {
		case errors.Is(err, io.EOF) && !initial:
			return nil
		case errors.Is(err, io.EOF):
			return fail("the answer of %s ends early", o.address)
		case err != nil:
			return o.explain(p.explain(err))
		}
		n, err := reader.read(resp.bytes)
		if err != nil {
			return o.explain(err)
		}
		initial = initial && !n.sync
		at, err := n.knownAt()
		if err != nil {
			return err
		}
		for _, s := range known.apply(n) {
			s.known = at
			each(s)
		}
	}
}

// knownAt gives when the daemon knew of a change; zero where it does not say.
func (n *note) knownAt() (time.Time, error) {
	for _, extension := range n.extensions {
		var x gnmi_ext.Extension
		var at timestamppb.Timestamp
		err := proto.Unmarshal(extension, &x)
		if r := x.GetRegisteredExt(); err == nil && r.GetId() == gnmi_ext.ExtensionID_EID_EXPERIMENTAL {
			if err = proto.Unmarshal(r.GetMsg(), &at); err == nil {
				return at.AsTime(), nil
			}
		}
		if err != nil {
			return time.Time{}, fail("the answer has an extension that is no time: %w", err)
		}
	}
	return time.Time{}, nil
}

// rangeRequest asks for the changes of a range, each with the time when it was known.
func rangeRequest(since, until time.Time, paths []*gpb.Path) *gpb.SubscribeRequest {
	list := &gpb.SubscriptionList{Prefix: &gpb.Path{Target: target}, Mode: gpb.SubscriptionList_STREAM, Encoding: gpb.Encoding_PROTO}
	for _, p := range paths {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	asked := &gnmi_ext.History{Request: &gnmi_ext.History_Range{Range: &gnmi_ext.TimeRange{Start: since.UnixNano(), End: until.UnixNano()}}}
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list},
		Extension: []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: asked}},
			{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL}}}}}
}

// entryLists are the lists whose entries are things of their own; the lists in them are leaves of those.
func entryLists() map[string]bool {
	const cluster = "kubernetes/clusters/cluster"
	lists := map[string]bool{}
	for _, list := range []string{cluster, cluster + "/nodes/node", cluster + "/pods/pod", cluster + "/pods/pod/attachments/attachment",
		cluster + "/services/service", cluster + "/services/service/members/member", cluster + "/events/event",
		"fabric/switches/switch", "fabric/switches/switch/ports/port", "fabric/links/link", "fabric/endpoints/endpoint", "diagnosis/findings/finding"} {
		lists[list] = true
	}
	return lists
}

// things are the entries that are known, by list and keys.
type things struct {
	lists map[string]bool
	all   map[string]*thing
}

func newThings() things { return things{entryLists(), map[string]*thing{}} }

// whereabouts are the entry that a path is in, by list and keys, its list, and the rest of the path, where length of its
// elements lead to the entry. Without an entry the length is 0.
type whereabouts struct {
	id, list, rest string
	length         int
}

func (ts things) locate(path []element) (w whereabouts) {
	id, list, rest := make([]byte, 0, 256), make([]byte, 0, 128), make([]byte, 0, 128)
	for i, e := range path {
		if i > 0 {
			id, list = append(id, '/'), append(list, '/')
		}
		id, list = e.appendText(id), append(list, e.name...)
		if len(rest) > 0 {
			rest = append(rest, '/')
		}
		if rest = e.appendText(rest); len(e.keys) > 0 && ts.lists[string(list)] {
			w, rest = whereabouts{id: string(id), list: string(list), length: i + 1}, rest[:0]
		}
	}
	w.rest = string(rest)
	return w
}

// keysOf are all keys on a path. The cluster's name is wanted, and the service's: a name that is there already gets that of its
// element before it.
func keysOf(path []element) map[string]string {
	keys := map[string]string{}
	for _, e := range path {
		for _, k := range e.keys {
			name := k.name
			if _, taken := keys[name]; taken {
				name = e.name + "-" + name
			}
			keys[name] = k.value
		}
	}
	return keys
}

// appendText writes an element with its keys.
func (e element) appendText(b []byte) []byte {
	b = append(b, e.name...)
	for _, k := range e.keys {
		b = append(b, '[')
		b = append(append(append(b, k.name...), '='), k.value...)
		b = append(b, ']')
	}
	return b
}

// apply makes the changes of a note, and gives how the things in it differ by it.
func (ts things) apply(n *note) []step {
	var steps []step
	var ids []string
	var path []element
	// change gives a thing for this note to change; nil for one that there is not and that is not to begin.
	change := func(beneath []element, begin bool) (*thing, string) {
		path = append(append(path[:0], n.prefix...), beneath...)
		w := ts.locate(path)
		if i := slices.Index(ids, w.id); i >= 0 {
			return steps[i].after, w.rest
		}
		before := ts.all[w.id]
		if w.length == 0 || before == nil && !begin {
			return nil, ""
		}
		if before == nil {
			before = &thing{list: w.list, keys: keysOf(path[:w.length])}
		}
		after := before.clone()
		ids, steps = append(ids, w.id), append(steps, step{at: time.Unix(0, n.at).UTC(), before: before, after: after})
		ts.all[w.id] = after
		return after, w.rest
	}
	for _, d := range n.deletes {
		t, rest := change(d, false)
		if t == nil {
			continue
		}
		maps.DeleteFunc(t.leaves, func(leaf string, _ value) bool {
			return rest == "" || leaf == rest || strings.HasPrefix(leaf, rest+"/")
		})
	}
	for _, u := range n.updates {
		if t, rest := change(u.path, true); t != nil {
			t.leaves[rest] = u.value
		}
	}
	for i, s := range steps {
		if len(s.after.leaves) == 0 {
			delete(ts.all, ids[i])
		}
	}
	return steps
}

// clone copies a thing.
func (t *thing) clone() *thing {
	leaves := maps.Clone(t.leaves)
	if leaves == nil {
		leaves = map[string]value{}
	}
	return &thing{list: t.list, keys: t.keys, leaves: leaves}
}
