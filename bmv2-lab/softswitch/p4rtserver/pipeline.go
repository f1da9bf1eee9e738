package p4rtserver

import (
	"bytes"
	"context"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// pipeline is a forwarding pipeline with its state. The maps belong to Server.state.
type pipeline struct {
	config *p4.ForwardingPipelineConfig
	schema *schema
	sw     *engine.Switch

	extras   map[uint32]map[string]extra // by table id and matchKey
	profiles map[uint32]*profileState    // all of the schema's
	groups   map[uint32]*p4.MulticastGroupEntry
	sessions map[uint32]*p4.CloneSessionEntry
	digests  map[uint32]*p4.DigestEntry_Config
	metadata int // bytes, of entries and groups
}

// build makes a pipeline that could run, with no state but the program's own.
func (s *Server) build(config *p4.ForwardingPipelineConfig) (*pipeline, error) {
	if config.GetP4Info() == nil || len(config.GetP4DeviceConfig()) == 0 {
		return nil, fail(codes.InvalidArgument, "pipeline: P4Info and device configuration are needed")
	}
	doc, err := bmjson.Decode(deviceJSON(config.GetP4DeviceConfig()))
	if err != nil {
		return nil, &failure{codes.InvalidArgument, within(err, "pipeline: device configuration")}
	}
	thaw(doc, config.GetP4Info())
	program, err := engine.Compile(doc)
	if err != nil {
		return nil, &failure{codes.InvalidArgument, within(err, "pipeline: device configuration")}
	}
	sw := engine.New(program, s.cfg.Engine)
	sc, err := bind(config.GetP4Info(), sw)
	if err != nil {
		return nil, &failure{codes.InvalidArgument, within(err, "pipeline")}
	}
	return newPipeline(proto.Clone(config).(*p4.ForwardingPipelineConfig), sc, sw, s.deps.Dataplane.HasPort), nil
}

func newPipeline(config *p4.ForwardingPipelineConfig, sc *schema, sw *engine.Switch, hasPort func(uint32) bool) *pipeline {
	return &pipeline{
		config: config, schema: sc, sw: sw,
		extras: map[uint32]map[string]extra{}, profiles: newProfileStates(sc, sw, hasPort),
		groups: map[uint32]*p4.MulticastGroupEntry{}, sessions: map[uint32]*p4.CloneSessionEntry{},
		digests: map[uint32]*p4.DigestEntry_Config{},
	}
}

// thaw lets clients change the entries of tables that have initial ones and are not constant
// (specification, section 9.1.5). The JSON has all of them as constants, as BMv2 takes them.
// Neither it nor the P4Info tells which single entries P4 declares constant, so none are.
func thaw(doc *bmjson.Program, info *p4config.P4Info) {
	open := map[string]int64{}
	for _, t := range info.GetTables() {
		if t.GetHasInitialEntries() && !t.GetIsConstTable() {
			open[t.GetPreamble().GetName()] = t.GetSize()
		}
	}
	for _, pipe := range []*bmjson.Pipeline{&doc.Ingress, &doc.Egress} {
		for i := range pipe.Tables {
			t := &pipe.Tables[i]
			if size, ok := open[t.Name]; ok {
				t.Const, t.Size = false, max(t.Size, int(size))
			}
		}
	}
}

// deviceJSON finds the JSON document in a device configuration. Some clients of BMv2 wrap it
// in a p4.tmp.P4DeviceConfig, whose field 3 it is then.
func deviceJSON(config []byte) []byte {
	if t := bytes.TrimLeft(config, " \t\r\n"); len(t) == 0 || t[0] == '{' {
		return config
	}
	const deviceData = 3
	data := config
	_ = eachField(config, func(num protowire.Number, v wireValue) error { // what is no message is no JSON either
		if num == deviceData && v.kind == protowire.BytesType {
			data = v.data
		}
		return nil
	})
	return data
}

// SetForwardingPipelineConfig verifies, saves and commits pipelines (P4Runtime specification,
// section 14). A saved pipeline has its state already: Read and Write mean it at once, and its
// packets run from the commit on. Other requests go on while one is compiled.
func (s *Server) SetForwardingPipelineConfig(ctx context.Context, req *p4.SetForwardingPipelineConfigRequest) (*p4.SetForwardingPipelineConfigResponse, error) {
	if err := s.mayPush(req); err != nil {
		return nil, err
	}
	if err := s.setPipeline(ctx, req); err != nil {
		s.deps.Log.Warn("pipeline refused", "action", req.GetAction().String(), "error", err)
		return nil, err
	}
	s.deps.Log.Info("pipeline", "action", req.GetAction().String(), "cookie", req.GetConfig().GetCookie().GetCookie())
	return &p4.SetForwardingPipelineConfigResponse{}, nil
}

// mayPush refuses clients that are not primary, or whose role may not set the pipeline.
func (s *Server) mayPush(req *p4.SetForwardingPipelineConfigRequest) error {
	role, err := s.arbiter.check(req.GetDeviceId(), req.GetRole(), req.GetElectionId())
	if err != nil {
		return err
	}
	if !role.mayPush() {
		return fail(codes.PermissionDenied, "pipeline: role %q may not set it: can_push_pipeline is false", req.GetRole())
	}
	return nil
}

// setPipeline carries out one action.
func (s *Server) setPipeline(ctx context.Context, req *p4.SetForwardingPipelineConfigRequest) error {
	var next *pipeline
	action := req.GetAction()
	switch action {
	case p4.SetForwardingPipelineConfigRequest_COMMIT:
		if req.GetConfig() != nil {
			return fail(codes.InvalidArgument, "commit: a saved pipeline is committed without sending it again")
		}
	case p4.SetForwardingPipelineConfigRequest_VERIFY, p4.SetForwardingPipelineConfigRequest_VERIFY_AND_SAVE,
		p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, p4.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT:
		var err error
		if next, err = s.buildInTurn(ctx, req.GetConfig()); err != nil {
			return err
		}
	default:
		return fail(codes.InvalidArgument, "pipeline: action %s", action)
	}
	if action == p4.SetForwardingPipelineConfigRequest_VERIFY {
		return nil
	}
	s.state.Lock()
	defer s.state.Unlock()
	if err := s.mayPush(req); err != nil { // another may have become primary
		return err
	}
	switch action {
	case p4.SetForwardingPipelineConfigRequest_VERIFY_AND_SAVE:
		s.current = next
		return nil
	case p4.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT:
		return s.reconcile(ctx, next)
	case p4.SetForwardingPipelineConfigRequest_COMMIT:
		if next = s.current; next == nil || next == s.running.Load() {
			return fail(codes.NotFound, "commit: no pipeline is saved")
		}
	}
	return s.commit(ctx, next, nil)
}

// buildInTurn builds one pipeline at a time, for they take memory.
func (s *Server) buildInTurn(ctx context.Context, config *p4.ForwardingPipelineConfig) (*pipeline, error) {
	select {
	case s.building <- struct{}{}:
		defer func() { <-s.building }()
		return s.build(config)
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// commit makes a pipeline the running one; carry, if not nil, brings the old one's state over
// between two packets. Called with state.
func (s *Server) commit(ctx context.Context, p *pipeline, carry func() error) error {
	events := pipelineEvents{server: s, pipeline: p}
	err := s.deps.Dataplane.Install(ctx, func(*engine.Switch) (*engine.Switch, error) {
		if carry != nil {
			if err := carry(); err != nil {
				return nil, err
			}
		}
		// Digests of the old pipeline that are not gathered yet are no longer enabled.
		s.digester.follow(p)
		s.running.Store(p)
		return p.sw, nil
	}, events)
	if err != nil {
		return unavailable("commit", err)
	}
	s.current = p
	return nil
}

// GetForwardingPipelineConfig returns the pipeline that Read and Write mean (P4Runtime
// specification, section 15).
func (s *Server) GetForwardingPipelineConfig(_ context.Context, req *p4.GetForwardingPipelineConfigRequest) (*p4.GetForwardingPipelineConfigResponse, error) {
	if req.GetDeviceId() != s.cfg.DeviceID {
		return nil, fail(codes.NotFound, "no device %d; this is device %d", req.GetDeviceId(), s.cfg.DeviceID)
	}
	s.state.RLock()
	defer s.state.RUnlock()
	if s.current == nil {
		return &p4.GetForwardingPipelineConfigResponse{}, nil
	}
	have := s.current.config
	out := &p4.ForwardingPipelineConfig{Cookie: have.GetCookie()}
	switch req.GetResponseType() {
	case p4.GetForwardingPipelineConfigRequest_ALL:
		out.P4Info, out.P4DeviceConfig = have.GetP4Info(), have.GetP4DeviceConfig()
	case p4.GetForwardingPipelineConfigRequest_COOKIE_ONLY:
	case p4.GetForwardingPipelineConfigRequest_P4INFO_AND_COOKIE:
		out.P4Info = have.GetP4Info()
	case p4.GetForwardingPipelineConfigRequest_DEVICE_CONFIG_AND_COOKIE:
		out.P4DeviceConfig = have.GetP4DeviceConfig()
	default:
		return nil, fail(codes.InvalidArgument, "response type %s", req.GetResponseType())
	}
	return &p4.GetForwardingPipelineConfigResponse{Config: out}, nil
}
