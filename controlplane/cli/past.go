package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// thing is one entry of a list of the models, with the leaves beneath it by their path from there, keys in
// brackets.
type thing struct {
	list   string // the path of the list without keys, as kubernetes/clusters/cluster/pods/pod
	keys   map[string]string
	leaves map[string]*gpb.TypedValue
}

func (t *thing) text(leaf string) string   { return t.leaves["state/"+leaf].GetStringVal() }
func (t *thing) truth(leaf string) bool    { return t.leaves["state/"+leaf].GetBoolVal() }
func (t *thing) number(leaf string) uint64 { return t.leaves["state/"+leaf].GetUintVal() }
func (t *thing) has(leaf string) bool      { _, ok := t.leaves["state/"+leaf]; return ok }

func (t *thing) texts(leaf string) (out []string) {
	for _, e := range t.leaves["state/"+leaf].GetLeaflistVal().GetElement() {
		out = append(out, e.GetStringVal())
	}
	return out
}

// step is a change of a thing: before is empty when it began, after when it ended.
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
	stream, err := client.Subscribe(p)
	if err != nil {
		return o.explain(p.explain(err))
	}
	if err := stream.Send(rangeRequest(since, until, paths)); err != nil && !errors.Is(err, io.EOF) {
		return o.explain(err)
	}
	known := things{}
	initial := true
	for {
		p.wait()
		resp, err := stream.Recv()
		p.came()
		switch {
		case errors.Is(err, io.EOF) && !initial:
			return nil
		case errors.Is(err, io.EOF):
			return fail("the answer of %s ends early", o.address)
		case err != nil:
			return o.explain(p.explain(err))
		case resp.GetSyncResponse():
			initial = false
			continue
		}
		at, err := knownAt(resp)
		if err != nil {
			return err
		}
		for _, s := range known.apply(resp.GetUpdate()) {
			s.known = at
			each(s)
		}
	}
}

// knownAt gives when the daemon knew of a change; zero where it does not say.
func knownAt(resp *gpb.SubscribeResponse) (time.Time, error) {
	for _, x := range resp.GetExtension() {
		if r := x.GetRegisteredExt(); r.GetId() == gnmi_ext.ExtensionID_EID_EXPERIMENTAL {
			var at timestamppb.Timestamp
			if err := proto.Unmarshal(r.GetMsg(), &at); err != nil {
				return time.Time{}, fail("the answer has an extension that is no time: %w", err)
			}
			return at.AsTime(), nil
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

// things are the entries that are known, by list and keys.
type things map[string]*thing

// entryLists are the lists whose entries are things of their own; the lists in them are leaves of those.
func entryLists() []string {
	const cluster = "kubernetes/clusters/cluster"
	return []string{cluster, cluster + "/nodes/node", cluster + "/pods/pod", cluster + "/pods/pod/attachments/attachment",
		cluster + "/services/service", cluster + "/services/service/members/member", cluster + "/events/event",
		"fabric/switches/switch", "fabric/switches/switch/ports/port", "fabric/links/link", "fabric/endpoints/endpoint", "diagnosis/findings/finding"}
}

// entryOf splits a path into the entry that it is in and the rest.
func entryOf(elems []*gpb.PathElem) (id string, t *thing, rest string) {
	var list, under []string
	keys := map[string]string{}
	var name strings.Builder
	for _, e := range elems {
		list = append(list, e.GetName())
		under = append(under, text(e))
		name.WriteString("/" + text(e))
		if len(e.GetKey()) == 0 {
			continue
		}
		if at := strings.Join(list, "/"); slices.Contains(entryLists(), at) {
			for k, v := range e.GetKey() {
				if _, taken := keys[k]; taken { // the cluster's name is wanted, and the service's
					k = e.GetName() + "-" + k
				}
				keys[k] = v
			}
			id, under = name.String(), nil
			t = &thing{list: at, keys: keys, leaves: map[string]*gpb.TypedValue{}}
		}
	}
	return id, t, strings.Join(under, "/")
}

// text writes an element with its keys in alphabetical order.
func text(e *gpb.PathElem) string {
	var keys []string
	for k, v := range e.GetKey() {
		keys = append(keys, "["+k+"="+v+"]")
	}
	slices.Sort(keys)
	return e.GetName() + strings.Join(keys, "")
}

// apply makes the changes of a notification, and gives how the things in it differ by it.
func (ts things) apply(n *gpb.Notification) []step {
	before := map[string]*thing{}
	var order []string
	touch := func(id string, fresh *thing) *thing {
		if _, seen := before[id]; !seen {
			before[id] = ts[id].clone(fresh)
			order = append(order, id)
		}
		if ts[id] == nil {
			ts[id] = fresh
		}
		return ts[id]
	}
	for _, d := range n.GetDelete() {
		id, fresh, rest := entryOf(slices.Concat(n.GetPrefix().GetElem(), d.GetElem()))
		if fresh == nil || ts[id] == nil {
			continue
		}
		t := touch(id, fresh)
		for leaf := range t.leaves {
			if rest == "" || leaf == rest || strings.HasPrefix(leaf, rest+"/") {
				delete(t.leaves, leaf)
			}
		}
	}
	for _, u := range n.GetUpdate() {
		id, fresh, rest := entryOf(slices.Concat(n.GetPrefix().GetElem(), u.GetPath().GetElem()))
		if fresh != nil {
			touch(id, fresh).leaves[rest] = u.GetVal()
		}
	}
	var steps []step
	for _, id := range order {
		after := ts[id]
		steps = append(steps, step{at: time.Unix(0, n.GetTimestamp()).UTC(), before: before[id], after: after.clone(after)})
		if len(after.leaves) == 0 {
			delete(ts, id)
		}
	}
	return steps
}

// clone copies a thing; of none it makes one without leaves, like another.
func (t *thing) clone(like *thing) *thing {
	c := &thing{list: like.list, keys: like.keys, leaves: map[string]*gpb.TypedValue{}}
	if t != nil {
		for k, v := range t.leaves {
			c.leaves[k] = v
		}
	}
	return c
}
