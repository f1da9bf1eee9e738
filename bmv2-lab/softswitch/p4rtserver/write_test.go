package p4rtserver_test

import (
	"strings"
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func ternary(field uint32, value, mask []byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{Value: value, Mask: mask}}}
}

func between(field uint32, low, high []byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{Low: low, High: high}}}
}

func optional(field uint32, value ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Optional_{Optional: &p4.FieldMatch_Optional{Value: value}}}
}

func lpm(field uint32, length int32, value ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{Value: value, PrefixLen: length}}}
}

func (b *bench) acl(priority int32, a *p4.TableAction, match ...*p4.FieldMatch) *p4.TableEntry {
	return &p4.TableEntry{TableId: b.id("acl"), Match: match, Priority: priority, Action: a}
}

func (b *bench) vendor(match ...*p4.FieldMatch) *p4.TableEntry {
	return &p4.TableEntry{TableId: b.id("vendors"), Match: match, Action: b.act("NoAction")}
}

// with changes a copy of an entry.
func with(e *p4.TableEntry, change func(*p4.TableEntry)) *p4.TableEntry {
	e = proto.Clone(e).(*p4.TableEntry)
	change(e)
	return e
}

func TestTableWriteErrors(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	fwd := b.act("forward", []byte{2})
	good := b.dmac(1, fwd)
	s.mustWrite(insert(tableEntity(good)))
	acl := b.acl(10, b.act("deny"), ternary(1, []byte{1}, []byte{0xff}), between(2, []byte{1}, []byte{2}), optional(3, 1))
	s.mustWrite(insert(tableEntity(acl)))
	def := &p4.TableEntry{TableId: b.id("dmac"), IsDefaultAction: true, Action: b.act("miss")}
	fixed := &p4.TableEntry{TableId: b.id("learning"), Match: []*p4.FieldMatch{exact(1, 0x88, 0xb5)}, Action: b.act("learn")}

	set := func(e *p4.TableEntry, change func(*p4.TableEntry)) *p4.Entity { return tableEntity(with(e, change)) }
	other := func(e *p4.TableEntry) { e.Match = []*p4.FieldMatch{exact(1, 9)} }
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"insert twice", insert(tableEntity(good)), codes.AlreadyExists},
		{"modify what is not there", modify(set(good, other)), codes.NotFound},
		{"delete what is not there", deleteOf(set(good, other)), codes.NotFound},
		{"delete looks at the key only", deleteOf(set(good, func(e *p4.TableEntry) { other(e); e.Action = nil; e.IdleTimeoutNs = -1 })), codes.NotFound},
		{"delete with is_const", deleteOf(set(good, func(e *p4.TableEntry) { e.IsConst = true })), codes.InvalidArgument},
		{"no type", &p4.Update{Entity: tableEntity(good)}, codes.InvalidArgument},
		{"no entity", &p4.Update{Type: p4.Update_INSERT}, codes.InvalidArgument},
		{"table id 0", insert(tableEntity(&p4.TableEntry{})), codes.InvalidArgument},
		{"unknown table", insert(tableEntity(&p4.TableEntry{TableId: 1})), codes.NotFound},
		{"no match", insert(set(good, func(e *p4.TableEntry) { e.Match = nil })), codes.InvalidArgument},
		{"unknown field", insert(set(good, func(e *p4.TableEntry) { e.Match[0].FieldId = 9 })), codes.InvalidArgument},
		{"field twice", insert(set(good, func(e *p4.TableEntry) { e.Match = append(e.Match, exact(1, 2)) })), codes.InvalidArgument},
		{"field without a match", insert(set(good, func(e *p4.TableEntry) { e.Match[0].FieldMatchType = nil })), codes.InvalidArgument},
		{"wrong match type", insert(set(good, func(e *p4.TableEntry) { e.Match[0] = lpm(1, 8, 1) })), codes.InvalidArgument},
		{"49 bits in 48", insert(set(good, func(e *p4.TableEntry) { e.Match[0] = exact(1, 1, 0, 0, 0, 0, 0, 0) })), codes.InvalidArgument},
		{"empty value", insert(set(good, func(e *p4.TableEntry) { e.Match[0] = exact(1) })), codes.InvalidArgument},
		{"priority without need", insert(set(good, func(e *p4.TableEntry) { other(e); e.Priority = 1 })), codes.InvalidArgument},
		{"no action", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = nil })), codes.InvalidArgument},
		{"unknown action", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action.GetAction().ActionId = 5 })), codes.InvalidArgument},
		{"another table's action", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = b.act("deny") })), codes.InvalidArgument},
		{"default-only action", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = b.act("miss") })), codes.PermissionDenied},
		{"no parameter", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = b.act("forward") })), codes.InvalidArgument},
		{"unknown parameter", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = b.act("forward", []byte{1}, []byte{1}) })), codes.InvalidArgument},
		{"parameter too wide", insert(set(good, func(e *p4.TableEntry) { other(e); e.Action = b.act("forward", []byte{2, 0}) })), codes.InvalidArgument},
		{"member of a direct table", insert(set(good, func(e *p4.TableEntry) {
			other(e)
			e.Action = &p4.TableAction{Type: &p4.TableAction_ActionProfileMemberId{ActionProfileMemberId: 1}}
		})), codes.InvalidArgument},
		{"is_const", insert(set(good, func(e *p4.TableEntry) { other(e); e.IsConst = true })), codes.InvalidArgument},
		{"time_since_last_hit", insert(set(good, func(e *p4.TableEntry) { other(e); e.TimeSinceLastHit = &p4.TableEntry_IdleTimeout{} })), codes.InvalidArgument},
		{"negative counter", insert(set(good, func(e *p4.TableEntry) { other(e); e.CounterData = &p4.CounterData{PacketCount: -1} })), codes.InvalidArgument},
		{"meter", insert(set(good, func(e *p4.TableEntry) { other(e); e.MeterConfig = &p4.MeterConfig{} })), codes.InvalidArgument},
		{"idle timeout without support", insert(set(acl, func(e *p4.TableEntry) { e.Priority = 9; e.IdleTimeoutNs = 1 })), codes.InvalidArgument},
		{"counter without one", insert(set(acl, func(e *p4.TableEntry) { e.Priority = 9; e.CounterData = &p4.CounterData{} })), codes.InvalidArgument},
		{"priority 0", insert(set(acl, func(e *p4.TableEntry) { e.Priority = 0 })), codes.InvalidArgument},
		{"negative priority", insert(set(acl, func(e *p4.TableEntry) { e.Priority = -1 })), codes.InvalidArgument},
		{"same match, other priority", insert(set(acl, func(e *p4.TableEntry) { e.Priority = 11 })), codes.OK},
		{"mask of zeros", insert(set(acl, func(e *p4.TableEntry) { e.Match[0] = ternary(1, []byte{0}, []byte{0}) })), codes.InvalidArgument},
		{"value outside the mask", insert(set(acl, func(e *p4.TableEntry) { e.Match[0] = ternary(1, []byte{3}, []byte{1}) })), codes.InvalidArgument},
		{"low above high", insert(set(acl, func(e *p4.TableEntry) { e.Match[1] = between(2, []byte{3}, []byte{2}) })), codes.InvalidArgument},
		{"whole range", insert(set(acl, func(e *p4.TableEntry) { e.Match[1] = between(2, []byte{0}, []byte{0xff, 0xff}) })), codes.InvalidArgument},
		{"prefix of 0", insert(tableEntity(b.vendor(lpm(1, 0, 0)))), codes.InvalidArgument},
		{"prefix of 49", insert(tableEntity(b.vendor(lpm(1, 49, 1)))), codes.InvalidArgument},
		{"bits behind the prefix", insert(tableEntity(b.vendor(lpm(1, 40, 1)))), codes.InvalidArgument},
		{"insert default", insert(tableEntity(def)), codes.InvalidArgument},
		{"delete default", deleteOf(tableEntity(def)), codes.InvalidArgument},
		{"default with match", modify(set(def, func(e *p4.TableEntry) { e.Match = good.Match })), codes.InvalidArgument},
		{"default with priority", modify(set(def, func(e *p4.TableEntry) { e.Priority = 1 })), codes.InvalidArgument},
		{"default with idle timeout", modify(set(def, func(e *p4.TableEntry) { e.IdleTimeoutNs = 1 })), codes.InvalidArgument},
		{"constant default", modify(set(def, func(e *p4.TableEntry) { e.TableId = b.id("acl"); e.Action = b.act("NoAction") })), codes.PermissionDenied},
		{"table-only default", modify(set(def, func(e *p4.TableEntry) { e.TableId = b.id("acl"); e.Action = b.act("deny") })), codes.PermissionDenied},
		{"insert into constant table", insert(set(fixed, other)), codes.PermissionDenied},
		{"delete from constant table", deleteOf(tableEntity(fixed)), codes.PermissionDenied},
		{"modify constant entry", modify(tableEntity(fixed)), codes.PermissionDenied},
		{"extern entry", insert(&p4.Entity{Entity: &p4.Entity_ExternEntry{ExternEntry: &p4.ExternEntry{ExternTypeId: 0x81}}}), codes.Unimplemented},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, s.write(c.u))
		}
	}
	// Nothing of it has changed what there was.
	if got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")})); len(got) != 1 {
		t.Errorf("%d entries: %v", len(got), got)
	}
}

func TestBatchReportsEveryUpdate(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	fwd := b.act("forward", []byte{2})
	err := s.write(
		insert(tableEntity(b.dmac(1, fwd))),
		insert(tableEntity(b.dmac(1, fwd))),
		insert(tableEntity(b.dmac(2, nil))),
		insert(tableEntity(b.dmac(3, fwd))),
	)
	d := details(t, err)
	var got []codes.Code
	for _, e := range d {
		got = append(got, codes.Code(e.GetCanonicalCode()))
	}
	if len(got) != 4 || got[0] != codes.OK || got[1] != codes.AlreadyExists || got[2] != codes.InvalidArgument || got[3] != codes.OK {
		t.Fatalf("%v of %v", got, err)
	}
	if d[0].GetMessage() != "" || !strings.Contains(d[1].GetMessage(), "BridgeIngress.dmac") {
		t.Errorf("messages %q and %q", d[0].GetMessage(), d[1].GetMessage())
	}
	if got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")})); len(got) != 2 {
		t.Errorf("%d entries", len(got))
	}
	// A table has room for its size and not for more.
	for i := byte(10); i < 16; i++ {
		s.mustWrite(insert(tableEntity(b.dmac(i, fwd))))
	}
	if got := s.code(insert(tableEntity(b.dmac(16, fwd)))); got != codes.ResourceExhausted {
		t.Errorf("full table: %s", got)
	}
	// Long batches of failures still fit a client's limits.
	var many []*p4.Update
	for range 500 {
		many = append(many, insert(tableEntity(b.dmac(1, fwd))))
	}
	if st, _ := status.FromError(s.write(many[:20]...)); st.Code() != codes.Unknown || len(st.Details()) != 20 {
		t.Errorf("%s, %d details", st.Code(), len(st.Details()))
	}
}

func counterEntity(id uint32, ix *p4.Index, d *p4.CounterData) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_CounterEntry{CounterEntry: &p4.CounterEntry{CounterId: id, Index: ix, Data: d}}}
}

func registerEntity(id uint32, ix *p4.Index, v []byte) *p4.Entity {
	e := &p4.RegisterEntry{RegisterId: id, Index: ix}
	if v != nil {
		e.Data = &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: v}}
	}
	return &p4.Entity{Entity: &p4.Entity_RegisterEntry{RegisterEntry: e}}
}

func group(id uint32, replicas ...*p4.Replica) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
		Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: &p4.MulticastGroupEntry{
			MulticastGroupId: id, Replicas: replicas}}}}}
}

func clone(id uint32, length int32, replicas ...*p4.Replica) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
		Type: &p4.PacketReplicationEngineEntry_CloneSessionEntry{CloneSessionEntry: &p4.CloneSessionEntry{
			SessionId: id, Replicas: replicas, PacketLengthBytes: length}}}}}
}

func classed(e *p4.Entity, class uint32) *p4.Entity {
	e.GetPacketReplicationEngineEntry().GetCloneSessionEntry().ClassOfService = class
	return e
}

func replica(instance uint32, port ...byte) *p4.Replica {
	return &p4.Replica{Instance: instance, PortKind: &p4.Replica_Port{Port: port}}
}

func digestEntity(id uint32, c *p4.DigestEntry_Config) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{DigestId: id, Config: c}}}
}

func TestOtherWriteErrors(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	rx, frames, offsets, learn := b.id("rx"), b.id("frames"), b.id("offsets"), b.id("learn_t")
	data := &p4.CounterData{PacketCount: 1, ByteCount: 2}
	at := func(i int64) *p4.Index { return &p4.Index{Index: i} }
	backed := func(backups ...*p4.BackupReplica) *p4.Replica {
		r := replica(1, 1)
		r.BackupReplicas = backups
		return r
	}
	direct := func(e *p4.TableEntry, d *p4.CounterData) *p4.Entity {
		return &p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{TableEntry: e, Data: d}}}
	}
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"counter", modify(counterEntity(rx, at(15), data)), codes.OK},
		{"counter, all cells", modify(counterEntity(rx, nil, data)), codes.OK},
		{"insert counter", insert(counterEntity(rx, at(1), data)), codes.InvalidArgument},
		{"counter behind the end", modify(counterEntity(rx, at(16), data)), codes.OutOfRange},
		{"negative index", modify(counterEntity(rx, at(-1), data)), codes.InvalidArgument},
		{"unknown counter", modify(counterEntity(1, at(0), data)), codes.NotFound},
		{"counter id 0", modify(counterEntity(0, at(0), data)), codes.InvalidArgument},

		{"register", modify(registerEntity(frames, at(7), []byte{0xff, 0xff, 0xff, 0xff})), codes.OK},
		{"register, all cells", modify(registerEntity(frames, nil, []byte{1})), codes.OK},
		{"delete register", deleteOf(registerEntity(frames, at(0), []byte{1})), codes.InvalidArgument},
		{"register too wide", modify(registerEntity(frames, at(0), []byte{1, 0, 0, 0, 0})), codes.OutOfRange},
		{"register of no bytes", modify(registerEntity(frames, at(0), []byte{})), codes.OutOfRange},
		{"register without data", modify(registerEntity(frames, at(0), nil)), codes.InvalidArgument},
		{"register behind the end", modify(registerEntity(frames, at(8), []byte{1})), codes.OutOfRange},
		{"signed register", modify(registerEntity(offsets, at(1), []byte{0xff})), codes.OK},
		{"signed register too wide", modify(registerEntity(offsets, at(1), []byte{0x08, 0x00})), codes.OutOfRange},

		{"group", insert(group(1, replica(1, 1), replica(2, 1))), codes.OK},
		{"group twice", insert(group(1)), codes.AlreadyExists},
		{"group 0", insert(group(0)), codes.InvalidArgument},
		{"group 65536", insert(group(65536)), codes.InvalidArgument},
		{"same replica twice", modify(group(1, replica(1, 1), replica(1, 1))), codes.InvalidArgument},
		{"instance of 17 bits", modify(group(1, replica(65536, 1))), codes.InvalidArgument},
		{"port of 33 bits", modify(group(1, replica(1, 1, 0, 0, 0, 0))), codes.OutOfRange},
		{"replica without port", modify(group(1, &p4.Replica{})), codes.InvalidArgument},
		{"backups", modify(group(1, backed(&p4.BackupReplica{Port: []byte{2}}, &p4.BackupReplica{Port: []byte{2}, Instance: 1}))), codes.OK},
		{"backup of the same port", modify(group(1, backed(&p4.BackupReplica{Port: []byte{1}, Instance: 2}))), codes.InvalidArgument},
		{"backup twice", modify(group(1, backed(&p4.BackupReplica{Port: []byte{2}}, &p4.BackupReplica{Port: []byte{2}}))), codes.InvalidArgument},
		{"backup that is another's replica", modify(group(1, replica(3, 2), backed(&p4.BackupReplica{Port: []byte{2}, Instance: 3}))), codes.InvalidArgument},
		{"backup without port", modify(group(1, backed(&p4.BackupReplica{}))), codes.OutOfRange},
		{"backup's instance of 17 bits", modify(group(1, backed(&p4.BackupReplica{Port: []byte{2}, Instance: 65536}))), codes.InvalidArgument},
		{"modify a group that is not there", modify(group(2)), codes.NotFound},
		{"delete a group that is not there", deleteOf(group(2)), codes.NotFound},
		{"clone session", insert(clone(5, 0, replica(1, 3))), codes.OK},
		{"clone session 0", insert(clone(0, 0)), codes.InvalidArgument},
		{"clone session, negative length", modify(clone(5, -1)), codes.InvalidArgument},
		{"clone session, class of service", modify(clone(5, 0)), codes.OK},
		{"clone session, class of 9 bits", modify(classed(clone(5, 0), 256)), codes.InvalidArgument},
		{"delete clone session", deleteOf(clone(5, 0)), codes.OK},

		{"digest", insert(digestEntity(learn, &p4.DigestEntry_Config{MaxListSize: 1})), codes.OK},
		{"digest twice", insert(digestEntity(learn, &p4.DigestEntry_Config{})), codes.AlreadyExists},
		{"digest, negative", modify(digestEntity(learn, &p4.DigestEntry_Config{MaxTimeoutNs: -1})), codes.InvalidArgument},
		{"digest without config", modify(digestEntity(learn, nil)), codes.InvalidArgument},
		{"unknown digest", insert(digestEntity(1, &p4.DigestEntry_Config{})), codes.NotFound},
		{"disable digest", deleteOf(digestEntity(learn, nil)), codes.OK},
		{"disable digest again", deleteOf(digestEntity(learn, nil)), codes.NotFound},

		{"direct counter of no entry", modify(direct(b.dmac(77, nil), data)), codes.NotFound},
		{"direct counter of a table without", modify(direct(b.vendor(lpm(1, 8, 1, 0, 0, 0, 0, 0)), data)), codes.InvalidArgument},
		{"insert direct counter", insert(direct(b.dmac(77, nil), data)), codes.InvalidArgument},
		{"default entry's direct counter", modify(direct(&p4.TableEntry{TableId: b.id("dmac"), IsDefaultAction: true}, data)), codes.OK},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
