package p4rtserver

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// Messages that P4Runtime only carries are read from their wire format, for two fields of
// them are no reason to generate code.

// wireValue is the value of a field in a protobuf message: number or data, as kind says.
type wireValue struct {
	kind   protowire.Type
	number uint64
	data   []byte
}

// eachField yields the fields of a protobuf message whose types this package reads.
func eachField(b []byte, yield func(protowire.Number, wireValue) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return &failure{codes.InvalidArgument, protowire.ParseError(n)}
		}
		b = b[n:]
		v := wireValue{kind: kind}
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, kind, b)
		}
		if n < 0 {
			return &failure{codes.InvalidArgument, protowire.ParseError(n)}
		}
		b = b[n:]
		if err := yield(num, v); err != nil {
			return err
		}
	}
	return nil
}

// ids adds a repeated uint32, packed or not.
func (v wireValue) ids(name string, to map[uint32]bool) error {
	switch v.kind {
	case protowire.VarintType:
		to[uint32(v.number)] = true
		return nil
	case protowire.BytesType:
		for b := v.data; len(b) > 0; {
			id, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return fail(codes.InvalidArgument, "%s: %w", name, protowire.ParseError(n))
			}
			to[uint32(id)] = true
			b = b[n:]
		}
		return nil
	}
	return fail(codes.InvalidArgument, "%s is not a list of numbers", name)
}

func (v wireValue) flag(name string, to *bool) error {
	if v.kind != protowire.VarintType {
		return fail(codes.InvalidArgument, "%s is not a bool", name)
	}
	*to = v.number != 0
	return nil
}
