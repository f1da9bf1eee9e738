package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// target is the gNMI target with the models of Fabricscope.
const target = "fabric"

// ask reads the data beneath paths, each written as elements with slashes between.
func (o *options) ask(ctx context.Context, paths ...string) (*branch, error) {
	data := &branch{}
	return data, o.askInto(ctx, data, o.list(gpb.SubscriptionList_ONCE, paths))
}

// askInto adds what a list asks for to data.
func (o *options) askInto(ctx context.Context, data *branch, list *gpb.SubscriptionList) error {
	return o.read(ctx, list, func(n *note) error {
		data.apply(n)
		return nil
	})
}

func (o *options) dial() (*grpc.ClientConn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.skipVerify} //nolint:gosec // The user asked for it.
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fail("--tls-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fail("--tls-ca: %s has no certificate", o.ca)
		}
	}
	if o.cert != "" {
		cert, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fail("--tls-cert, --tls-key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(cfg)), grpc.WithNoProxy()}
	if o.user != "" {
		options = append(options, grpc.WithPerRPCCredentials(login{o.user, o.password}))
	}
	conn, err := grpc.NewClient("passthrough:///"+o.address, options...)
	if err != nil {
		return nil, fail("--address: %w", err)
	}
	return conn, nil
}

// once asks for a list, for the moment of --at, and gives what comes.
func (o *options) once(ctx context.Context, list *gpb.SubscriptionList, take func(*gpb.Notification) error) error {
	var resp gpb.SubscribeResponse
	return o.answer(ctx, list, &resp, func() (synced bool, err error) {
		return resp.GetSyncResponse(), take(resp.GetUpdate())
	})
}

// read is once for the types of leaves that the models of Fabricscope have, of which there may be millions.
func (o *options) read(ctx context.Context, list *gpb.SubscriptionList, take func(*note) error) error {
	var resp encoded
	r := newNoteReader()
	return o.answer(ctx, list, &resp, func() (synced bool, err error) {
		n, err := r.read(resp.bytes)
		if err != nil {
			return false, err
		}
		return n.sync, take(n)
	})
}

// answer asks for a list and calls take for each response, which is in resp then.
func (o *options) answer(ctx context.Context, list *gpb.SubscriptionList, resp any, take func() (synced bool, err error)) error {
	conn, err := o.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	p := o.patience(ctx)
	defer p.end()
	req, err := o.request(list)
	if err != nil {
		return err
	}
	if err := o.receiveOnce(p, gpb.NewGNMIClient(conn), req, resp, take); err != nil {
		return o.explain(p.explain(err))
	}
	return nil
}

func (o *options) receiveOnce(p *patience, client gpb.GNMIClient, req *gpb.SubscribeRequest, resp any, take func() (synced bool, err error)) error {
	stream, err := client.Subscribe(p, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return err
	}
	if err := stream.Send(req); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	complete := false
	for {
		p.wait()
		err := stream.RecvMsg(resp)
		p.came()
		switch {
		case errors.Is(err, io.EOF) && complete:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the answer ends early")
		case err != nil:
			return err
		}
		synced, err := take()
		if err != nil {
			return err
		}
		complete = complete || synced
	}
}

// list asks for paths, each written as elements with slashes between.
func (o *options) list(mode gpb.SubscriptionList_Mode, paths []string) *gpb.SubscriptionList {
	list := &gpb.SubscriptionList{Prefix: &gpb.Path{Target: target}, Mode: mode, Encoding: gpb.Encoding_PROTO}
	for _, p := range paths {
		path := &gpb.Path{}
		for _, name := range strings.Split(p, "/") {
			path.Elem = append(path.Elem, &gpb.PathElem{Name: name})
		}
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: path, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	return list
}

// request asks by the event time of --at, with --as-known by its commit time, or for now: docs/formats/gnmi.md has the extensions.
func (o *options) request(list *gpb.SubscriptionList) (*gpb.SubscribeRequest, error) {
	req := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
	if o.at.IsZero() {
		return req, nil
	}
	if o.asKnown {
		last := time.Unix(0, math.MaxInt64)
		if o.at.Before(last) {
			last = o.at
		}
		then := &gnmi_ext.History{Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: last.UnixNano()}}
		req.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: then}}}
		return req, nil
	}
	msg, err := proto.Marshal(timestamppb.New(o.at))
	if err != nil {
		return nil, fmt.Errorf("--at: %w", err)
	}
	req.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{
		Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL, Msg: msg,
	}}}}
	return req, nil
}

// explain makes an error of gRPC one for the operator.
func (o *options) explain(err error) error {
	var failed *failure
	if errors.As(err, &failed) {
		return err
	}
	s, ok := status.FromError(err)
	if !ok {
		return fail("asking %s: %w", o.address, err)
	}
	switch s.Code() {
	case codes.Unavailable:
		if strings.Contains(s.Message(), "authentication handshake failed") {
			return fail("%s: the TLS handshake failed: %s\nGive the authority of its certificate with --tls-ca, or believe any with --tls-skip-verify", o.address, s.Message())
		}
		return fail("cannot reach the daemon at %s: %s\nIs fabricscoped running there? --address or FABRICSCOPE_ADDRESS name another", o.address, s.Message())
	case codes.DeadlineExceeded:
		return fail("the daemon at %s did not answer within %v: see --timeout", o.address, o.timeout)
	case codes.OutOfRange:
		if o.atText == "" {
			return fail("%s", s.Message())
		}
		return fail("%s %s: %s", o.atFlag, o.atText, s.Message())
	case codes.Unimplemented:
		if !o.at.IsZero() && o.at.After(o.now) {
			return fail("%s %s: %s", o.atFlag, o.atText, s.Message())
		}
	}
	return fail("the daemon at %s answered %v: %s", o.address, s.Code(), s.Message())
}
