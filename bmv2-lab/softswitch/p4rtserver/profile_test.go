package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func (b *bench) member(profile string, id uint32, a *p4.TableAction) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{
		ActionProfileId: b.id(profile), MemberId: id, Action: a.GetAction()}}}
}

func (b *bench) selection(profile string, id uint32, limit int32, members ...*p4.ActionProfileGroup_Member) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: &p4.ActionProfileGroup{
		ActionProfileId: b.id(profile), GroupId: id, MaxSize: limit, Members: members}}}
}

func weighs(id uint32, weight int32) *p4.ActionProfileGroup_Member {
	return &p4.ActionProfileGroup_Member{MemberId: id, Weight: weight}
}

func memberID(id uint32) *p4.TableAction {
	return &p4.TableAction{Type: &p4.TableAction_ActionProfileMemberId{ActionProfileMemberId: id}}
}

func groupID(id uint32) *p4.TableAction {
	return &p4.TableAction{Type: &p4.TableAction_ActionProfileGroupId{ActionProfileGroupId: id}}
}

// oneShot is a set of actions of weights 1, 2, 3 …
func oneShot(actions ...*p4.TableAction) *p4.TableAction {
	set := &p4.ActionProfileActionSet{}
	for i, a := range actions {
		set.ActionProfileActions = append(set.ActionProfileActions, &p4.ActionProfileAction{Action: a.GetAction(), Weight: int32(i + 1)})
	}
	return &p4.TableAction{Type: &p4.TableAction_ActionProfileActionSet{ActionProfileActionSet: set}}
}

func (b *bench) route(a *p4.TableAction, match ...*p4.FieldMatch) *p4.TableEntry {
	return &p4.TableEntry{TableId: b.id("routes"), Match: match, Action: a}
}

func TestMembersRunTheirActions(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	s.mustWrite(
		insert(b.member("next_hops", 7, b.act("forward", []byte{1}))),
		insert(tableEntity(b.entry("neighbours", 5, memberID(7)))),
	)
	f := frame(5, 9, 0x800)
	b.inject(2, f)
	b.leaves(1, f)
	s.mustWrite(modify(b.member("next_hops", 7, b.act("forward", []byte{2}))))
	b.inject(2, f)
	b.leaves(2, f)
	s.mustWrite(
		insert(b.member("next_hops", 8, b.act("forward", []byte{3}))),
		modify(tableEntity(b.entry("neighbours", 5, memberID(8)))),
		deleteOf(b.member("next_hops", 7, nil)),
	)
	b.inject(2, f)
	b.leaves(3, f)
	// MODIFY without an action keeps the member.
	s.mustWrite(modify(tableEntity(with(b.entry("neighbours", 5, nil), func(e *p4.TableEntry) { e.Metadata = []byte("m") }))))
	got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("neighbours"), CounterData: &p4.CounterData{}}))[0].GetTableEntry()
	if got.GetAction().GetActionProfileMemberId() != 8 || string(got.GetMetadata()) != "m" || got.GetCounterData().GetPacketCount() != 3 {
		t.Errorf("%v", got)
	}
}

// spread says at which ports the frames of many sources leave.
func (b *bench) spread() map[uint32]int {
	b.t.Helper()
	const sources = 250
	ports := map[uint32]int{}
	for src := range byte(sources) {
		b.inject(2, frame(5, src, 0x800))
		ports[b.leaving().port]++
	}
	return ports
}

func TestGroupsSpreadPackets(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	s.mustWrite(
		insert(b.member("ecmp", 1, b.act("forward", []byte{1}))),
		insert(b.member("ecmp", 2, b.act("forward", []byte{2}))),
		insert(b.selection("ecmp", 1, 0, weighs(1, 1), weighs(2, 4))),
		insert(tableEntity(b.route(groupID(1)))),
	)
	if p := b.spread(); len(p) != 2 || p[1] < 20 || p[2] < 2*p[1] {
		t.Errorf("weights 1 and 4: %v", p)
	}
	s.mustWrite(modify(b.selection("ecmp", 1, 0, weighs(2, 1))))
	if p := b.spread(); p[2] != 250 {
		t.Errorf("one member: %v", p)
	}
	s.mustWrite(modify(tableEntity(b.route(memberID(1)))))
	if p := b.spread(); p[1] != 250 {
		t.Errorf("a member: %v", p)
	}
	s.mustWrite(modify(b.selection("ecmp", 1, 0)), modify(tableEntity(b.route(groupID(1)))))
	if p := b.spread(); p[3] != 250 { // the port of the program without any action
		t.Errorf("an empty group: %v", p)
	}
}

func TestOneShot(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	first := b.route(oneShot(b.act("forward", []byte{1}), b.act("forward", []byte{2})))
	s.mustWrite(insert(tableEntity(first)))
	if p := b.spread(); len(p) != 2 || p[1] < 20 || p[2] < p[1] {
		t.Errorf("weights 1 and 2: %v", p)
	}
	// It comes back as it was, with canonical values, and not as members and groups.
	first.Action.GetActionProfileActionSet().ActionProfileActions[0].Action.Params[0].Value = []byte{0, 0, 1}
	if got := s.code(insert(tableEntity(first))); got != codes.AlreadyExists {
		t.Errorf("twice: %s", got)
	}
	s.mustWrite(modify(tableEntity(first)))
	first.Action.GetActionProfileActionSet().ActionProfileActions[0].Action.Params[0].Value = []byte{1}
	got := b.mustRead(tableEntity(&p4.TableEntry{}), b.of(&p4.ActionProfileMember{}), b.of(&p4.ActionProfileGroup{}))
	if len(got) != 3 || !proto.Equal(got[0], tableEntity(first)) { // and the program's two entries
		t.Errorf("read back: %v", got)
	}
	for name, c := range map[string]struct {
		u    *p4.Update
		want codes.Code
	}{
		"member":         {insert(b.member("ecmp", 1, b.act("drop"))), codes.InvalidArgument},
		"group":          {insert(b.selection("ecmp", 1, 0)), codes.InvalidArgument},
		"entry of one":   {insert(tableEntity(b.route(memberID(1), lpm(1, 48, 7)))), codes.InvalidArgument},
		"entry of group": {modify(tableEntity(b.route(groupID(1)))), codes.InvalidArgument},
		"other profile":  {insert(b.member("next_hops", 1, b.act("drop"))), codes.OK},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s in a profile of sets: %s, want %s", name, got, c.want)
		}
	}
	// The room of the set that is replaced counts for the new one, and failures leave nothing.
	full := b.route(oneShot(b.act("drop"), b.act("drop"), b.act("forward", []byte{3})))
	full.Action.GetActionProfileActionSet().ActionProfileActions[2].Weight = 5
	for range 5 {
		s.mustWrite(modify(tableEntity(full)), modify(tableEntity(first)))
		if got := s.code(insert(tableEntity(b.route(full.Action, lpm(1, 48, 7))))); got != codes.OK {
			t.Errorf("8 and 3 of 12: %s", got)
		}
		if got := s.code(modify(tableEntity(full))); got != codes.ResourceExhausted {
			t.Errorf("8 and 8 of 12: %s", got)
		}
		s.mustWrite(deleteOf(tableEntity(b.route(nil, lpm(1, 48, 7)))))
	}
	// MODIFY without an action keeps the set; without sets the profile takes members again.
	s.mustWrite(modify(tableEntity(with(first, func(e *p4.TableEntry) { e.Action, e.Metadata = nil, []byte("m") }))))
	got = b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("routes")}))
	if len(got) != 1 || !proto.Equal(got[0].GetTableEntry().GetAction(), first.Action) || string(got[0].GetTableEntry().GetMetadata()) != "m" {
		t.Errorf("after an empty modify: %v", got)
	}
	s.mustWrite(deleteOf(tableEntity(first)), insert(b.member("ecmp", 1, b.act("drop"))))
	if got := s.code(insert(tableEntity(first))); got != codes.InvalidArgument {
		t.Errorf("a set in a profile of members: %s", got)
	}
}

// A set may choose by chance, and say what its size is.
func TestSetsWithModes(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	chance := b.route(oneShot(b.act("forward", []byte{1}), b.act("forward", []byte{2})))
	set := chance.Action.GetActionProfileActionSet()
	set.ActionSelectionMode = p4.ActionProfileActionSet_RANDOM
	s.mustWrite(insert(tableEntity(chance)))
	ports := map[uint32]int{}
	for range 250 {
		b.inject(2, frame(5, 1, 0x800)) // all of one flow
		ports[b.leaving().port]++
	}
	if len(ports) != 2 || ports[1] < 20 || ports[2] < ports[1] {
		t.Errorf("weights 1 and 2, by chance: %v", ports)
	}
	// The weights are above max_group_size 8 and the profile's 12, the number of members is not.
	set.ActionProfileActions[0].Weight, set.ActionProfileActions[1].Weight = 20, 30
	if got := s.code(modify(tableEntity(chance))); got != codes.InvalidArgument {
		t.Errorf("too large by the profile's semantics: %s", got)
	}
	set.SizeSemantics = p4.ActionProfileActionSet_SUM_OF_MEMBERS
	s.mustWrite(modify(tableEntity(chance)))
	got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("routes")}))
	if len(got) != 1 || !proto.Equal(got[0].GetTableEntry(), chance) {
		t.Errorf("read back: %v", got)
	}
}

func TestProfileWriteErrors(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	fwd := b.act("forward", []byte{1})
	s.mustWrite(
		insert(b.member("next_hops", 1, fwd)), insert(tableEntity(b.entry("neighbours", 1, memberID(1)))),
		insert(b.member("ecmp", 1, fwd)), insert(b.member("ecmp", 2, fwd)), insert(b.member("ecmp", 3, fwd)),
		insert(b.selection("ecmp", 1, 4, weighs(1, 1))), insert(tableEntity(b.route(groupID(1)))),
		insert(b.member("lag", 1, fwd)), insert(b.member("lag", 2, fwd)), insert(b.member("lag", 3, fwd)),
		insert(b.selection("lag", 1, 0, weighs(1, 10), weighs(2, 10))),
	)
	watched := func(port ...byte) *p4.ActionProfileGroup_Member {
		m := weighs(1, 1)
		m.WatchKind = &p4.ActionProfileGroup_Member_WatchPort{WatchPort: port}
		return m
	}
	old := weighs(1, 1)
	old.WatchKind = &p4.ActionProfileGroup_Member_Watch{Watch: -1}
	set := func(change func(*p4.ActionProfileActionSet)) *p4.Update {
		a := oneShot(fwd)
		change(a.GetActionProfileActionSet())
		return insert(tableEntity(&p4.TableEntry{TableId: b.id("routes"), Match: []*p4.FieldMatch{lpm(1, 48, 9)}, Action: a}))
	}
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"member twice", insert(b.member("next_hops", 1, fwd)), codes.AlreadyExists},
		{"member 0", insert(b.member("next_hops", 0, fwd)), codes.InvalidArgument},
		{"member without action", insert(b.member("next_hops", 2, nil)), codes.InvalidArgument},
		{"member of another table's action", insert(b.member("next_hops", 2, b.act("police"))), codes.InvalidArgument},
		{"member with a wide parameter", insert(b.member("next_hops", 2, b.act("forward", []byte{2, 0}))), codes.InvalidArgument},
		{"modify without action", modify(b.member("next_hops", 1, nil)), codes.InvalidArgument},
		{"modify what is not there", modify(b.member("next_hops", 2, fwd)), codes.NotFound},
		{"delete what is not there", deleteOf(b.member("next_hops", 2, nil)), codes.NotFound},
		{"delete an entry's member", deleteOf(b.member("next_hops", 1, nil)), codes.FailedPrecondition},
		{"delete a group's member", deleteOf(b.member("ecmp", 1, nil)), codes.FailedPrecondition},
		{"profile 0", insert(&p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{MemberId: 1}}}), codes.InvalidArgument},
		{"unknown profile", insert(&p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: &p4.ActionProfileGroup{ActionProfileId: 1, GroupId: 1}}}), codes.NotFound},

		{"group without selector", insert(b.selection("next_hops", 1, 0)), codes.InvalidArgument},
		{"group twice", insert(b.selection("ecmp", 1, 4)), codes.AlreadyExists},
		{"group 0", insert(b.selection("ecmp", 0, 0)), codes.InvalidArgument},
		{"group of an unknown member", insert(b.selection("ecmp", 2, 0, weighs(9, 1))), codes.NotFound},
		{"group with a member twice", insert(b.selection("ecmp", 2, 0, weighs(1, 1), weighs(1, 1))), codes.InvalidArgument},
		{"weight 0", insert(b.selection("ecmp", 2, 0, weighs(1, 0))), codes.InvalidArgument},
		{"negative weight", insert(b.selection("ecmp", 2, 0, weighs(1, -1))), codes.InvalidArgument},
		{"max_size above max_group_size", insert(b.selection("ecmp", 2, 9)), codes.InvalidArgument},
		{"negative max_size", insert(b.selection("lag", 2, -1)), codes.InvalidArgument},
		{"another max_size", modify(b.selection("ecmp", 1, 5, weighs(1, 1))), codes.InvalidArgument},
		{"more than max_size", modify(b.selection("ecmp", 1, 4, weighs(1, 5))), codes.ResourceExhausted},
		{"more than max_group_size", insert(b.selection("ecmp", 2, 0, weighs(1, 9))), codes.ResourceExhausted},
		{"more than the profile", insert(b.selection("ecmp", 2, 8, weighs(1, 5), weighs(2, 3))), codes.OK},
		{"more than the profile", modify(b.selection("ecmp", 1, 4, weighs(1, 4), weighs(2, 1))), codes.ResourceExhausted},
		{"as much as the profile", modify(b.selection("ecmp", 1, 4, weighs(1, 4))), codes.OK},
		{"watch port that is not there", modify(b.selection("ecmp", 1, 4, watched(9))), codes.InvalidArgument},
		{"watch port of 33 bits", modify(b.selection("ecmp", 1, 4, watched(1, 0, 0, 0, 0))), codes.InvalidArgument},
		{"negative watch", modify(b.selection("ecmp", 1, 4, old)), codes.InvalidArgument},
		{"watch the CPU port", modify(b.selection("ecmp", 1, 4, watched(1, 0xfe))), codes.OK},
		{"modify a group that is not there", modify(b.selection("ecmp", 3, 0)), codes.NotFound},
		{"delete a group that is not there", deleteOf(b.selection("ecmp", 3, 0)), codes.NotFound},
		{"delete an entry's group", deleteOf(b.selection("ecmp", 1, 0)), codes.FailedPrecondition},
		{"weight above max_member_weight", modify(b.selection("lag", 1, 0, weighs(1, 11))), codes.InvalidArgument},
		{"3 of 4 members, of any weight", modify(b.selection("lag", 1, 0, weighs(1, 10), weighs(2, 10), weighs(3, 1))), codes.OK},
		{"4 of 4 members", insert(b.selection("lag", 2, 0, weighs(1, 10))), codes.OK},
		{"5 of 4 members", insert(b.selection("lag", 3, 0, weighs(1, 10))), codes.ResourceExhausted},

		{"entry with an action", insert(tableEntity(b.entry("neighbours", 2, fwd))), codes.InvalidArgument},
		{"entry of an unknown member", insert(tableEntity(b.entry("neighbours", 2, memberID(9)))), codes.NotFound},
		{"entry of member 0", insert(tableEntity(b.entry("neighbours", 2, memberID(0)))), codes.InvalidArgument},
		{"entry of a group without selector", insert(tableEntity(b.entry("neighbours", 2, groupID(1)))), codes.InvalidArgument},
		{"entry of a set without selector", insert(tableEntity(b.entry("neighbours", 2, oneShot(fwd)))), codes.InvalidArgument},
		{"entry of an unknown group", insert(tableEntity(b.route(groupID(9), lpm(1, 48, 1)))), codes.NotFound},
		{"default entry", modify(tableEntity(&p4.TableEntry{TableId: b.id("routes"), IsDefaultAction: true, Action: fwd})), codes.PermissionDenied},
		{"empty group", modify(b.selection("ecmp", 2, 8)), codes.OK},
		{"delete a group", deleteOf(b.selection("ecmp", 2, 0, watched(9))), codes.OK},
		{"delete the entry", deleteOf(tableEntity(b.route(nil))), codes.OK},
		{"delete its group", deleteOf(b.selection("ecmp", 1, 0)), codes.OK},
		{"delete its member", deleteOf(b.member("ecmp", 1, nil)), codes.OK},
		{"delete its member", deleteOf(b.member("ecmp", 2, nil)), codes.OK},
		{"delete its member", deleteOf(b.member("ecmp", 3, nil)), codes.OK},

		{"set with weight 0", set(func(a *p4.ActionProfileActionSet) { a.ActionProfileActions[0].Weight = 0 }), codes.InvalidArgument},
		{"set of more than max_group_size", set(func(a *p4.ActionProfileActionSet) { a.ActionProfileActions[0].Weight = 9 }), codes.InvalidArgument},
		{"set with a watch port that is not there", set(func(a *p4.ActionProfileActionSet) {
			a.ActionProfileActions[0].WatchKind = &p4.ActionProfileAction_WatchPort{WatchPort: []byte{9}}
		}), codes.InvalidArgument},
		{"set without an action", set(func(a *p4.ActionProfileActionSet) { a.ActionProfileActions[0].Action = nil }), codes.InvalidArgument},
		{"set of mode 7", set(func(a *p4.ActionProfileActionSet) { a.ActionSelectionMode = 7 }), codes.InvalidArgument},
		{"set of semantics 7", set(func(a *p4.ActionProfileActionSet) { a.SizeSemantics = 7 }), codes.InvalidArgument},
		{"set that says what is so", set(func(a *p4.ActionProfileActionSet) {
			a.ActionSelectionMode, a.SizeSemantics = p4.ActionProfileActionSet_HASH, p4.ActionProfileActionSet_SUM_OF_WEIGHTS
		}), codes.OK},
		{"second member", insert(b.member("next_hops", 2, fwd)), codes.OK},
		{"third member", insert(b.member("next_hops", 3, fwd)), codes.OK},
		{"fourth member of three", insert(b.member("next_hops", 4, fwd)), codes.ResourceExhausted},
		{"third member again", insert(b.member("next_hops", 3, fwd)), codes.AlreadyExists},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, s.write(c.u))
		}
	}
}

func TestReadProfiles(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	fwd := b.act("forward", []byte{1})
	written := []*p4.Entity{
		b.member("next_hops", 1, fwd), b.member("ecmp", 1, b.act("drop")), b.member("ecmp", 2, fwd), b.member("lag", 5, fwd),
		b.selection("ecmp", 1, 5, weighs(1, 1), weighs(2, 4)), b.selection("ecmp", 2, 0), b.selection("lag", 1, 3, weighs(5, 1)),
	}
	for _, e := range written {
		s.mustWrite(insert(e))
	}
	got := b.mustRead(b.of(&p4.ActionProfileMember{}), b.of(&p4.ActionProfileGroup{}))
	if len(got) != len(written) {
		t.Fatalf("%v", got)
	}
	for i := range got {
		if !proto.Equal(got[i], written[i]) {
			t.Errorf("%v, want %v", got[i], written[i])
		}
	}
	for _, c := range []struct {
		name string
		e    *p4.Entity
		want int
	}{
		{"one profile's members", b.member("ecmp", 0, nil), 2},
		{"a member", b.member("ecmp", 2, nil), 1},
		{"a member that is not there", b.member("ecmp", 3, nil), 0},
		{"one profile's groups", b.selection("ecmp", 0, 0), 2},
		{"a group", b.selection("ecmp", 1, 0), 1},
		{"groups of a profile without selector", b.selection("next_hops", 0, 0), 0},
	} {
		if got := b.mustRead(c.e); len(got) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	_, _, err := b.read(b.of(&p4.ActionProfileMember{MemberId: 1}), b.of(&p4.ActionProfileGroup{ActionProfileId: 99}),
		tableEntity(&p4.TableEntry{TableId: b.id("routes"), Action: memberID(1)}))
	for i, want := range []codes.Code{codes.InvalidArgument, codes.NotFound, codes.InvalidArgument} {
		if d := details(t, err)[i]; codes.Code(d.GetCanonicalCode()) != want {
			t.Errorf("request %d: %v, want %s", i, d, want)
		}
	}
	def := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("routes"), IsDefaultAction: true}))[0].GetTableEntry()
	if !def.GetIsConst() || def.GetAction().GetAction().GetActionId() != b.id("NoAction") {
		t.Errorf("default entry: %v", def)
	}
}

// of makes an entity of what it holds.
func (b *bench) of(m proto.Message) *p4.Entity {
	switch m := m.(type) {
	case *p4.ActionProfileMember:
		return &p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: m}}
	case *p4.ActionProfileGroup:
		return &p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: m}}
	case *p4.MeterEntry:
		return &p4.Entity{Entity: &p4.Entity_MeterEntry{MeterEntry: m}}
	case *p4.DirectMeterEntry:
		return &p4.Entity{Entity: &p4.Entity_DirectMeterEntry{DirectMeterEntry: m}}
	case *p4.ValueSetEntry:
		return &p4.Entity{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: m}}
	}
	b.t.Fatalf("%T", m)
	return nil
}
