package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// dataType is a P4 type as P4Data shows it (specification, section 8.5): a leaf that is one
// value of the engine, or a struct or tuple of members.
type dataType struct {
	leaf    leafKind
	width   int // bits, of a leaf
	members []dataType
}

type leafKind uint8

const (
	aggregateStruct leafKind = iota
	aggregateTuple
	leafBit
	leafInt
	leafBool
	leafEnum // serializable enum
)

// maxDepth bounds the nesting of types; P4 types cannot be recursive, a P4Info could be.
const maxDepth = 16

// resolveType makes a dataType of a P4Info's type specification.
func resolveType(spec *p4config.P4DataTypeSpec, info *p4config.P4TypeInfo, depth int) (dataType, error) {
	if depth > maxDepth {
		return dataType{}, fail(codes.InvalidArgument, "types are nested more than %d deep", maxDepth)
	}
	switch t := spec.GetTypeSpec().(type) {
	case *p4config.P4DataTypeSpec_Bitstring:
		return resolveBits(t.Bitstring)
	case *p4config.P4DataTypeSpec_Bool:
		return dataType{leaf: leafBool, width: 1}, nil
	case *p4config.P4DataTypeSpec_SerializableEnum:
		enum, ok := info.GetSerializableEnums()[t.SerializableEnum.GetName()]
		if !ok {
			return dataType{}, fail(codes.InvalidArgument, "unknown enum %q", t.SerializableEnum.GetName())
		}
		return dataType{leaf: leafEnum, width: int(enum.GetUnderlyingType().GetBitwidth())}, nil
	case *p4config.P4DataTypeSpec_NewType:
		return resolveNew(t.NewType.GetName(), info, depth)
	case *p4config.P4DataTypeSpec_Struct:
		st, ok := info.GetStructs()[t.Struct.GetName()]
		if !ok {
			return dataType{}, fail(codes.InvalidArgument, "unknown struct %q", t.Struct.GetName())
		}
		out := dataType{leaf: aggregateStruct}
		for _, m := range st.GetMembers() {
			mt, err := resolveType(m.GetTypeSpec(), info, depth+1)
			if err != nil {
				return dataType{}, within(err, "member %q", m.GetName())
			}
			out.members = append(out.members, mt)
		}
		return out, nil
	case *p4config.P4DataTypeSpec_Tuple:
		out := dataType{leaf: aggregateTuple}
		for _, m := range t.Tuple.GetMembers() {
			mt, err := resolveType(m, info, depth+1)
			if err != nil {
				return dataType{}, err
			}
			out.members = append(out.members, mt)
		}
		return out, nil
	}
	return dataType{}, fail(codes.Unimplemented, "type %T is not supported", spec.GetTypeSpec())
}

func resolveBits(b *p4config.P4BitstringLikeTypeSpec) (dataType, error) {
	switch t := b.GetTypeSpec().(type) {
	case *p4config.P4BitstringLikeTypeSpec_Bit:
		return dataType{leaf: leafBit, width: int(t.Bit.GetBitwidth())}, nil
	case *p4config.P4BitstringLikeTypeSpec_Int:
		return dataType{leaf: leafInt, width: int(t.Int.GetBitwidth())}, nil
	}
	return dataType{}, fail(codes.Unimplemented, "varbit values are not supported")
}

func resolveNew(name string, info *p4config.P4TypeInfo, depth int) (dataType, error) {
	nt, ok := info.GetNewTypes()[name]
	if !ok {
		return dataType{}, fail(codes.InvalidArgument, "unknown type %q", name)
	}
	if nt.GetOriginalType() != nil {
		return resolveType(nt.GetOriginalType(), info, depth+1)
	}
	if w := nt.GetTranslatedType().GetSdnBitwidth(); w > 0 {
		return dataType{leaf: leafBit, width: int(w)}, nil
	}
	return dataType{}, fail(codes.Unimplemented, "type %q is translated to a string, which is not supported", name)
}

// leaves is the number of values of the engine that a type takes.
func (t dataType) leaves() int {
	if t.leaf != aggregateStruct && t.leaf != aggregateTuple {
		return 1
	}
	n := 0
	for _, m := range t.members {
		n += m.leaves()
	}
	return n
}

// encode makes P4Data of the engine's values and returns those that are left.
func (t dataType) encode(values [][]byte) (*p4.P4Data, [][]byte) {
	switch t.leaf {
	case leafBit:
		return &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: canonical(values[0])}}, values[1:]
	case leafInt:
		return &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: signedOut(values[0], t.width)}}, values[1:]
	case leafBool:
		return &p4.P4Data{Data: &p4.P4Data_Bool{Bool: bitLen(values[0]) > 0}}, values[1:]
	case leafEnum:
		return &p4.P4Data{Data: &p4.P4Data_EnumValue{EnumValue: canonical(values[0])}}, values[1:]
	}
	list := &p4.P4StructLike{}
	for _, m := range t.members {
		var d *p4.P4Data
		d, values = m.encode(values)
		list.Members = append(list.Members, d)
	}
	if t.leaf == aggregateTuple {
		return &p4.P4Data{Data: &p4.P4Data_Tuple{Tuple: list}}, values
	}
	return &p4.P4Data{Data: &p4.P4Data_Struct{Struct: list}}, values
}

// decode takes P4Data of a leaf type and returns the engine's value.
func (t dataType) decode(d *p4.P4Data) ([]byte, error) {
	switch v := d.GetData().(type) {
	case *p4.P4Data_Bitstring:
		switch t.leaf {
		case leafBit:
			return unsigned(v.Bitstring, t.width)
		case leafInt:
			return signedIn(v.Bitstring, t.width)
		}
	case *p4.P4Data_EnumValue:
		if t.leaf == leafEnum {
			return unsigned(v.EnumValue, t.width)
		}
	case *p4.P4Data_Bool:
		if t.leaf == leafBool {
			if v.Bool {
				return []byte{1}, nil
			}
			return []byte{0}, nil
		}
	case nil:
		return nil, fail(codes.InvalidArgument, "no data")
	}
	return nil, fail(codes.InvalidArgument, "data of type %T is not the one that the P4Info says", d.GetData())
}
