package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestFailOver(t *testing.T) {
	b := newBench(t)
	first, second, third := b.open(), b.open(), b.open()
	first.arbitrate(device, "", election(10))
	first.told(codes.OK, election(10))
	second.arbitrate(device, "", election(5))
	second.told(codes.AlreadyExists, election(10))

	// A higher id takes over, and the others hear of it.
	third.arbitrate(device, "", election(20))
	first.told(codes.AlreadyExists, election(20))
	second.told(codes.AlreadyExists, election(20))
	third.told(codes.OK, election(20))
	if err := first.write(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a former primary writes: %v", err)
	}
	if err := third.write(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("the primary writes without a pipeline: %v", err)
	}

	// Without the primary there is none, until a client reaches the highest id.
	third.close()
	first.told(codes.NotFound, election(20))
	second.told(codes.NotFound, election(20))
	if err := first.write(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a backup writes: %v", err)
	}
	second.arbitrate(device, "", election(19))
	second.told(codes.NotFound, election(20))
	second.arbitrate(device, "", election(20))
	first.told(codes.AlreadyExists, election(20))
	second.told(codes.OK, election(20))

	// It may step down.
	second.arbitrate(device, "", election(1))
	first.told(codes.NotFound, election(20))
	second.told(codes.NotFound, election(20))

	// The high half of the id counts first.
	first.arbitrate(device, "", &p4.Uint128{High: 1})
	second.told(codes.AlreadyExists, &p4.Uint128{High: 1})
	first.told(codes.OK, &p4.Uint128{High: 1})
}

func TestElectionIDMayBeUnset(t *testing.T) {
	b := newBench(t)
	s := b.open()
	s.arbitrate(device, "", nil)
	s.told(codes.NotFound, nil)
	other := b.open()
	other.arbitrate(device, "", nil)
	other.told(codes.NotFound, nil)
	zero := b.open()
	zero.arbitrate(device, "", &p4.Uint128{})
	s.told(codes.AlreadyExists, &p4.Uint128{})
	zero.told(codes.OK, &p4.Uint128{})
	if err := s.write(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a client without an election id writes: %v", err)
	}
}

func TestStreamsThatAreRefused(t *testing.T) {
	b := newBench(t)
	first := b.open()
	first.arbitrate(device, "", election(10))
	first.told(codes.OK, election(10))

	s := b.open()
	s.arbitrate(device+1, "", election(1))
	s.endsWith(codes.NotFound)

	s = b.open()
	s.arbitrate(device, "", election(10))
	s.endsWith(codes.InvalidArgument)

	s = b.open()
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{
		DeviceId: device, ElectionId: election(1), Role: &p4.Role{Name: "r", Config: &anypb.Any{TypeUrl: "x"}}}}})
	s.endsWith(codes.InvalidArgument)

	s = b.open()
	s.arbitrate(device, "", election(1))
	s.told(codes.AlreadyExists, election(10))
	s.arbitrate(device+1, "", election(1))
	s.endsWith(codes.FailedPrecondition)

	s = b.open()
	s.arbitrate(device, "", election(1))
	s.told(codes.AlreadyExists, election(10))
	s.arbitrate(device, "other", election(1))
	s.endsWith(codes.FailedPrecondition)

	s = b.open()
	s.arbitrate(device, "", election(1))
	s.told(codes.AlreadyExists, election(10))
	s.arbitrate(device, "", election(10))
	s.endsWith(codes.InvalidArgument)
}

func TestRolesAreIndependent(t *testing.T) {
	b := newBench(t)
	all, routes := b.open(), b.open()
	all.arbitrate(device, "", election(10))
	all.told(codes.OK, election(10))
	routes.arbitrate(device, "routes", election(10))
	routes.told(codes.OK, election(10))
	if err := routes.set(p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, b.config); err != nil {
		t.Fatal(err)
	}
	all.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	routes.mustWrite(deleteOf(tableEntity(b.dmac(1, nil))))
	if _, err := b.Write(b.ctx(), &p4.WriteRequest{DeviceId: device, Role: "nobody", ElectionId: election(10)}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown role: %v", err)
	}
	if _, err := b.Write(b.ctx(), &p4.WriteRequest{DeviceId: device + 1, ElectionId: election(10)}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown device: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	b := newBench(t)
	for _, id := range []uint64{0, device} {
		c, err := b.Capabilities(b.ctx(), &p4.CapabilitiesRequest{DeviceId: id})
		if err != nil || c.GetP4RuntimeApiVersion() != "1.5.0" {
			t.Errorf("device %d: %v, %v", id, c, err)
		}
	}
	if _, err := b.Capabilities(b.ctx(), &p4.CapabilitiesRequest{DeviceId: 99}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown device: %v", err)
	}
}
