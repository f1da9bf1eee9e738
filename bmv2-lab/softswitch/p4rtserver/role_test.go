package p4rtserver_test

import (
	"bytes"
	"strings"
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// scope is stratum.P4RoleConfig.
type scope struct {
	exclusive, shared []uint32
	filter            *p4.PacketMetadata
	packetIns, push   bool
}

func (s scope) any() *anypb.Any {
	var b, packed []byte
	for _, id := range s.exclusive {
		packed = protowire.AppendVarint(packed, uint64(id))
	}
	b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), packed)
	for _, id := range s.shared { // not packed, which is the same
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(id))
	}
	if s.filter != nil {
		filter := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(s.filter.GetMetadataId()))
		filter = protowire.AppendBytes(protowire.AppendTag(filter, 2, protowire.BytesType), s.filter.GetValue())
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), filter)
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), protowire.EncodeBool(s.packetIns))
	b = protowire.AppendVarint(protowire.AppendTag(b, 5, protowire.VarintType), protowire.EncodeBool(s.push))
	b = protowire.AppendBytes(protowire.AppendTag(b, 99, protowire.BytesType), []byte("a later version's"))
	return &anypb.Any{TypeUrl: "type.googleapis.com/stratum.P4RoleConfig", Value: b}
}

// claim arbitrates with a role configuration.
func (s *session) claim(role string, id *p4.Uint128, config *anypb.Any) {
	s.t.Helper()
	s.id, s.role = id, role
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{
		DeviceId: device, ElectionId: id, Role: &p4.Role{Name: role, Config: config}}}})
}

// hasRole is a new session that is the primary of a role with a scope.
func (b *bench) hasRole(role string, sc scope) *session {
	b.t.Helper()
	s := b.open()
	s.claim(role, election(1), sc.any())
	s.told(codes.OK, election(1))
	return s
}

func TestRoleMayWriteWhatItOwns(t *testing.T) {
	b := newBench(t)
	all := b.primary()
	dmac, rx := b.id("dmac"), b.id("rx")
	s := b.hasRole("bridge", scope{exclusive: []uint32{dmac}, shared: []uint32{rx}})
	entry := b.dmac(1, b.act("forward", []byte{2}))
	data := &p4.CounterData{PacketCount: 1}
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"its table", insert(tableEntity(entry)), codes.OK},
		{"its table's direct counter", modify(&p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{TableEntry: entry, Data: data}}}), codes.OK},
		{"its shared counter", modify(counterEntity(rx, nil, data)), codes.OK},
		{"another table", insert(tableEntity(b.acl(1, b.act("deny"), optional(3, 1)))), codes.PermissionDenied},
		{"a register", modify(registerEntity(b.id("frames"), nil, []byte{1})), codes.PermissionDenied},
		{"a digest", insert(digestEntity(b.id("learn_t"), &p4.DigestEntry_Config{})), codes.PermissionDenied},
		{"a multicast group", insert(group(1, replica(0, 1))), codes.PermissionDenied},
		{"no entity", &p4.Update{Type: p4.Update_INSERT}, codes.InvalidArgument},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for action, config := range map[p4.SetForwardingPipelineConfigRequest_Action]*p4.ForwardingPipelineConfig{atOnce: b.config, verify: b.config, commit: nil} {
		if err := s.set(action, config); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v", action, err)
		}
	}
	// A role without a configuration may do everything, also with what others own.
	all.mustWrite(deleteOf(tableEntity(entry)), insert(group(1, replica(0, 1))))

	// The primary changes the configuration by sending another one, or none.
	backup := b.open()
	backup.claim("bridge", election(0), nil)
	told := backup.next("arbitration").GetArbitration()
	if c := told.GetRole().GetConfig(); codes.Code(told.GetStatus().GetCode()) != codes.AlreadyExists || !proto.Equal(c, scope{exclusive: []uint32{dmac}, shared: []uint32{rx}}.any()) {
		t.Errorf("the backup is told %v", told)
	}
	s.claim("bridge", election(1), scope{push: true}.any())
	s.told(codes.OK, election(1))
	if c := backup.next("arbitration").GetArbitration().GetRole().GetConfig(); !proto.Equal(c, scope{push: true}.any()) {
		t.Errorf("the backup is told %v", c)
	}
	if got := s.code(insert(tableEntity(entry))); got != codes.PermissionDenied {
		t.Errorf("write without any id: %s", got)
	}
	if err := s.set(atOnce, b.config); err != nil {
		t.Errorf("push with can_push_pipeline: %v", err)
	}
	s.claim("bridge", election(1), nil)
	s.told(codes.OK, election(1))
	s.mustWrite(insert(tableEntity(entry)), insert(group(1, replica(0, 1))))
}

func TestRoleReadsWhatItOwns(t *testing.T) {
	b := newBench(t)
	all := b.primary()
	dmac := b.id("dmac")
	b.hasRole("bridge", scope{shared: []uint32{dmac, b.id("rx")}})
	all.mustWrite(
		insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))),
		insert(tableEntity(b.vendor())),
		insert(group(1, replica(0, 1))),
		insert(digestEntity(b.id("learn_t"), &p4.DigestEntry_Config{})),
	)
	read := func(role string, e *p4.Entity) ([]*p4.Entity, error) {
		r, err := b.Read(b.ctx(), &p4.ReadRequest{DeviceId: device, Role: role, Entities: []*p4.Entity{e}})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := drain(r)
		return out, err
	}
	for _, c := range []struct {
		name    string
		e       *p4.Entity
		want    int
		refused bool
	}{
		{"all tables", tableEntity(&p4.TableEntry{}), 1, false},
		{"its table", tableEntity(&p4.TableEntry{TableId: dmac}), 1, false},
		{"its table's default entry", tableEntity(&p4.TableEntry{TableId: dmac, IsDefaultAction: true}), 1, false},
		{"another table", tableEntity(&p4.TableEntry{TableId: b.id("vendors")}), 0, true},
		{"all counters", counterEntity(0, nil, nil), 16, false},
		{"all registers", registerEntity(0, nil, nil), 0, false},
		{"a register", registerEntity(b.id("frames"), nil, nil), 0, true},
		{"all direct counters", &p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{}}}, 1, false},
		{"all digests", digestEntity(0, nil), 0, false},
		{"all groups", group(0), 0, false},
		{"a group", group(1), 0, true},
	} {
		got, err := read("bridge", c.e)
		if c.refused {
			if d := details(t, err); len(d) != 1 || codes.Code(d[0].GetCanonicalCode()) != codes.PermissionDenied {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err != nil || len(got) != c.want {
			t.Errorf("%s: %d entities, want %d, %v", c.name, len(got), c.want, err)
		}
	}
	if _, err := read("nobody", tableEntity(&p4.TableEntry{})); status.Code(err) != codes.NotFound {
		t.Errorf("unknown role: %v", err)
	}
}

func TestRolesThatAreRefused(t *testing.T) {
	b := newBench(t)
	b.hasRole("one", scope{exclusive: []uint32{7}, shared: []uint32{8}})
	b.hasRole("two", scope{exclusive: []uint32{9}, shared: []uint32{8}})
	broken := scope{}.any()
	broken.Value = append(broken.Value, 0xff)
	wrong := scope{}.any()
	wrong.Value = protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), 7)
	for _, c := range []struct {
		name, role string
		config     *anypb.Any
		says       []string
	}{
		{"unknown type", "three", &anypb.Any{TypeUrl: "type.googleapis.com/x.Y"}, []string{"type.googleapis.com/x.Y", "stratum.P4RoleConfig"}},
		{"broken", "three", broken, []string{`"three"`}},
		{"of another type", "three", wrong, []string{"exclusive_p4_ids"}},
		{"of the default role", "", scope{}.any(), []string{"default role"}},
		{"both exclusive", "three", scope{exclusive: []uint32{7}}.any(), []string{"0x7", `"one"`, `"three"`}},
		{"shared, exclusive elsewhere", "three", scope{shared: []uint32{9}}.any(), []string{"0x9", `"two"`, `"three"`}},
		{"exclusive, shared elsewhere", "three", scope{exclusive: []uint32{8}}.any(), []string{"0x8", `"three"`}},
	} {
		s := b.open()
		s.claim(c.role, election(5), c.config)
		err := s.endsWith(codes.InvalidArgument)
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %s", c.name, err, want)
			}
		}
	}
	// A number is not the default role.
	s := b.open()
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{
		DeviceId: device, ElectionId: election(9), Role: &p4.Role{Id: 7}}}})
	s.endsWith(codes.InvalidArgument)
	// What a backup says does not count before it is the primary.
	backup := b.open()
	backup.claim("one", election(0), scope{exclusive: []uint32{9}}.any())
	told := backup.next("arbitration").GetArbitration()
	if c := told.GetRole().GetConfig(); !proto.Equal(c, scope{exclusive: []uint32{7}, shared: []uint32{8}}.any()) {
		t.Errorf("the backup is told %v", told)
	}
	backup.claim("one", election(2), scope{exclusive: []uint32{9}}.any())
	backup.endsWith(codes.InvalidArgument)
}

func TestRoleGetsTheStreamMessagesOfItsScope(t *testing.T) {
	b := newBench(t)
	all := b.primary()
	learn := b.id("learn_t")
	const reason = 2 // of packet_in's metadata
	filtered := b.hasRole("filtered", scope{packetIns: true, filter: meta(reason, 0, 7)})
	deaf := b.hasRole("deaf", scope{filter: meta(reason, 7)})
	learner := b.hasRole("learner", scope{shared: []uint32{learn, b.id("dmac")}})
	all.mustWrite(
		insert(tableEntity(b.dmac(1, b.act("punt", []byte{7})))),
		insert(tableEntity(b.dmac(2, b.act("punt", []byte{8})))),
		insert(tableEntity(with(b.dmac(3, b.act("punt", []byte{9})), func(e *p4.TableEntry) { e.IdleTimeoutNs = 1 }))),
		insert(digestEntity(learn, &p4.DigestEntry_Config{MaxListSize: 1})),
	)
	for _, dst := range []byte{1, 2, 1} {
		b.inject(1, frame(dst, 5, 0x88b5))
	}
	for i := range 3 {
		all.next("packet")
		all.next("digest")
		learner.next("digest")
		if i < 2 {
			if in := filtered.next("packet").GetPacket(); !bytes.Equal(in.GetMetadata()[1].GetValue(), []byte{7}) {
				t.Errorf("passed the filter: %v", in)
			}
		}
	}
	all.next("idle")
	learner.next("idle")
	// Whatever else was for them would have come before the answer to this.
	for _, s := range []*session{filtered, deaf, learner} {
		s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Other{Other: &anypb.Any{}}})
		s.next("error")
	}
	for _, s := range []*session{filtered, deaf} {
		if len(s.sorted["digest"])+len(s.sorted["idle"])+len(s.sorted["packet"]) != 0 {
			t.Errorf("%s also got %v", s.role, s.sorted)
		}
	}
	if len(learner.sorted["packet"]) != 0 {
		t.Errorf("learner also got %v", learner.sorted["packet"])
	}
	deaf.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_DigestAck{DigestAck: &p4.DigestListAck{DigestId: learn, ListId: 1}}})
	if e := deaf.next("error").GetError(); codes.Code(e.GetCanonicalCode()) != codes.PermissionDenied {
		t.Errorf("acknowledges another role's digest: %v", e)
	}
	// A configuration says nothing of packet-outs.
	deaf.send(packetOut(frame(1, 2, 0x800), meta(1, 3), meta(2, 0)))
	b.leaves(3, frame(1, 2, 0x800))
}
