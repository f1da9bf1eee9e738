package p4rtserver_test

import (
	"bytes"
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/proto"
)

// shut takes a port out of service, or back into it, and waits until the program knows.
func (b *bench) shut(port uint32, shut bool) {
	b.t.Helper()
	if err := b.sw.Shut(port, shut); err != nil {
		b.t.Fatal(err)
	}
	if err := b.sw.Settle(b.ctx()); err != nil {
		b.t.Fatal(err)
	}
}

func TestWatchPorts(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	watching := func(id uint32, port ...byte) *p4.ActionProfileGroup_Member {
		m := weighs(id, 1)
		m.WatchKind = &p4.ActionProfileGroup_Member_WatchPort{WatchPort: port}
		return m
	}
	old := weighs(2, 1)
	old.WatchKind = &p4.ActionProfileGroup_Member_Watch{Watch: 2}
	g := b.selection("ecmp", 1, 0, watching(1, 0, 1), old)
	s.mustWrite(
		insert(b.member("ecmp", 1, b.act("forward", []byte{1}))),
		insert(b.member("ecmp", 2, b.act("forward", []byte{2}))),
		insert(g), insert(tableEntity(b.route(groupID(1)))),
	)
	check := func(what string, want ...uint32) {
		t.Helper()
		p := b.spread()
		for _, port := range want {
			if p[port] < 20 {
				t.Errorf("%s: %v", what, p)
			}
			delete(p, port)
		}
		if len(p) > 0 {
			t.Errorf("%s: also %v", what, p)
		}
	}
	check("all ports are up", 1, 2)
	b.shut(1, true)
	check("port 1 is shut", 2)
	// What clients read does not depend on it, and has the shortest form.
	g.GetActionProfileGroup().Members[0].WatchKind = &p4.ActionProfileGroup_Member_WatchPort{WatchPort: []byte{1}}
	if got := b.mustRead(b.selection("ecmp", 1, 0)); len(got) != 1 || !proto.Equal(got[0], g) {
		t.Errorf("read %v, want %v", got, g)
	}
	// Nor does a program that takes over forget it.
	if err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = append(c.P4DeviceConfig, '\n') })); err != nil {
		t.Fatal(err)
	}
	check("another program", 2)
	b.shut(1, false)
	check("port 1 is back", 1, 2)
	s.mustWrite(modify(b.selection("ecmp", 1, 0, watching(1, 1), watching(2, 1))))
	b.shut(1, true)
	check("all members watch a port that is down", 3) // the port of the program without any action
}

func TestSetsWatchPorts(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	e := b.route(oneShot(b.act("forward", []byte{1}), b.act("forward", []byte{2})))
	actions := e.Action.GetActionProfileActionSet().ActionProfileActions
	actions[0].WatchKind = &p4.ActionProfileAction_WatchPort{WatchPort: []byte{0, 1}}
	actions[1].WatchKind = &p4.ActionProfileAction_Watch{Watch: 2}
	s.mustWrite(insert(tableEntity(e)))
	b.shut(1, true)
	if p := b.spread(); p[2] != 250 {
		t.Errorf("port 1 is shut: %v", p)
	}
	actions[0].WatchKind = &p4.ActionProfileAction_WatchPort{WatchPort: []byte{1}}
	if got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("routes")})); len(got) != 1 || !proto.Equal(got[0].GetTableEntry(), e) {
		t.Errorf("read %v, want %v", got, e)
	}
}

func TestBackupReplicas(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	backed := func(port byte, backups ...byte) *p4.Replica {
		r := replica(1, port)
		for i, p := range backups {
			r.BackupReplicas = append(r.BackupReplicas, &p4.BackupReplica{Port: []byte{p}, Instance: uint32(10 + i)})
		}
		return r
	}
	g := group(7, backed(1, 2, 3))
	s.mustWrite(insert(g), insert(tableEntity(b.dmac(9, b.act("flood", []byte{7})))))
	if got := b.mustRead(group(7)); len(got) != 1 || !proto.Equal(got[0], g) {
		t.Errorf("read %v, want %v", got, g)
	}
	f := frame(9, 1, 0x800)
	for _, c := range []struct {
		port uint32
		shut bool
		want uint32
	}{{3, true, 1}, {1, true, 2}, {2, true, 0}, {3, false, 3}, {1, false, 1}} {
		b.shut(c.port, c.shut)
		b.inject(4, f)
		if err := b.sw.Settle(b.ctx()); err != nil {
			t.Fatal(err)
		}
		got := uint32(0)
		if len(b.out) > 0 {
			got = b.leaving().port
		}
		if got != c.want || len(b.out) > 0 {
			t.Errorf("port %d shut: %t; the copy left at port %d, want %d", c.port, c.shut, got, c.want)
		}
	}
	// A clone's, too.
	s.mustWrite(insert(clone(5, 20, backed(2, 3))), insert(tableEntity(&p4.TableEntry{
		TableId: b.id("acl"), Priority: 1, Action: b.act("mirror"), Match: []*p4.FieldMatch{ternary(1, []byte{8}, []byte{0xff})}})))
	b.shut(2, true)
	f = frame(77, 8, 0x800) // which is dropped itself
	b.inject(4, f)
	if got := b.leaving(); got.port != 3 || !bytes.Equal(got.frame, f[:20]) {
		t.Errorf("the clone left at port %d: %x", got.port, got.frame)
	}
}
