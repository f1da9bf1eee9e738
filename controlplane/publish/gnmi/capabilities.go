package gnmi

import (
	"context"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	models "github.com/fabricscope/fabricscope/models/schema"
)

// Capabilities implements gNMI's Capabilities (specification, section 3.2).
func (s *Server) Capabilities(ctx context.Context, req *gpb.CapabilityRequest) (*gpb.CapabilityResponse, error) {
	resp, err := s.capabilities(ctx, req)
	s.metrics.rpcs.WithLabelValues("capabilities", status.Code(err).String()).Inc()
	return resp, err
}

func (s *Server) capabilities(ctx context.Context, req *gpb.CapabilityRequest) (*gpb.CapabilityResponse, error) {
	if _, err := s.reader(ctx, "Capabilities"); err != nil {
		return nil, err
	}
	if _, err := parseExtensions(req.GetExtension()); err != nil {
		return nil, err
	}
	if len(req.GetExtension()) > 0 {
		return nil, status.Error(codes.InvalidArgument, "extensions: those about a moment and about depth are for Get and Subscribe")
	}
	resp := &gpb.CapabilityResponse{SupportedEncodings: encodings(), GNMIVersion: gnmiVersion()}
	for _, m := range models.Modules() {
		resp.SupportedModels = append(resp.SupportedModels, &gpb.ModelData{Name: m.Name, Organization: m.Organization, Version: m.Version})
	}
	return resp, nil
}

// Set implements gNMI's Set: there is nothing to set.
func (s *Server) Set(context.Context, *gpb.SetRequest) (*gpb.SetResponse, error) {
	return nil, status.Error(codes.Unimplemented, "Set is not supported: Fabricscope only shows")
}

// gnmiVersion is the version that the service definition carries.
func gnmiVersion() string {
	version, _ := proto.GetExtension(gpb.File_github_com_openconfig_gnmi_proto_gnmi_gnmi_proto.Options(), gpb.E_GnmiService).(string)
	return version
}
