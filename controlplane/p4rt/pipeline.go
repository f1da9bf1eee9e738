package p4rt

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// ensurePipeline pushes the program unless the switch says that it runs it already: a push
// empties the tables and resets the counters.
func (s *Session) ensurePipeline(ctx context.Context, c *connection) (pushed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RPCTimeout)
	defer cancel()
	have, err := c.client.GetForwardingPipelineConfig(ctx, &p4v1.GetForwardingPipelineConfigRequest{
		DeviceId:     s.cfg.DeviceID,
		ResponseType: p4v1.GetForwardingPipelineConfigRequest_COOKIE_ONLY,
	})
	// A switch without a pipeline answers with nothing or refuses to; both mean to push.
	if err != nil && status.Code(err) != codes.FailedPrecondition && status.Code(err) != codes.NotFound {
		return false, fmt.Errorf("read the pipeline's cookie: %s", rpcText(err))
	}
	if err == nil && have.GetConfig().GetCookie().GetCookie() == s.program.cookie {
		s.log.Info("the switch runs the pipeline already", "cookie", fmt.Sprintf("%#x", s.program.cookie))
		return false, nil
	}
	_, err = c.client.SetForwardingPipelineConfig(ctx, &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId:   s.cfg.DeviceID,
		Role:       s.cfg.Role,
		ElectionId: c.election.Load(),
		Action:     p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
		Config: &p4v1.ForwardingPipelineConfig{
			P4Info:         s.program.info,
			P4DeviceConfig: s.program.device,
			Cookie:         &p4v1.ForwardingPipelineConfig_Cookie{Cookie: s.program.cookie},
		},
	})
	if err != nil {
		return false, fmt.Errorf("push the pipeline: %s", rpcText(err))
	}
	s.log.Info("pushed the pipeline", "cookie", fmt.Sprintf("%#x", s.program.cookie))
	return true, nil
}

// enableDigests asks for every digest of the program in lists that wait a bounded time. An
// ack timeout of 0 means that the switch keeps no copy to suppress duplicates with. On BMv2
// all three at 0 would mean a list per digest.
func (s *Session) enableDigests(ctx context.Context) error {
	for name, d := range s.program.digests {
		entity := &p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{DigestEntry: &p4v1.DigestEntry{
			DigestId: d.id,
			Config: &p4v1.DigestEntry_Config{
				MaxTimeoutNs: s.cfg.DigestMaxDelay.Nanoseconds(),
				MaxListSize:  int32(s.cfg.DigestMaxList),
			},
		}}}
		if err := s.insertOrModify(ctx, entity); err != nil {
			return fmt.Errorf("enable digest %s: %w", name, err)
		}
	}
	return nil
}

// insertOrModify writes one entity that may or may not be there.
func (s *Session) insertOrModify(ctx context.Context, e *p4v1.Entity) error {
	err := s.write(ctx, []*p4v1.Update{{Type: p4v1.Update_INSERT, Entity: e}})
	var refused *WriteError
	if (errors.As(err, &refused) && refused.OnlyCode(codes.AlreadyExists)) || status.Code(err) == codes.AlreadyExists {
		return s.write(ctx, []*p4v1.Update{{Type: p4v1.Update_MODIFY, Entity: e}})
	}
	return err
}
