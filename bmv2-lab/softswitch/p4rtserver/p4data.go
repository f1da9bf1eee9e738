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
	width   int    // bits, of a leaf
	names   *names // of a leafString
	members []dataType
}

type leafKind uint8

const (
	aggregateStruct leafKind = iota
	aggregateTuple
	leafBit
	leafInt
	leafBool
	leafEnum   // serializable enum
	leafString // translated to a string
)

// Bounds of what a P4Info may declare, so that a wrong one costs an error and no memory.
const (
	maxDepth = 16   // nesting of types; P4 types cannot be recursive, a P4Info could be
	maxParts = 4096 // values, structs and tuples of one type
	maxWidth = 4096 // bits of one value
)

// resolver makes a dataType of a P4Info's type specification.
type resolver struct {
	schema *schema
	info   *p4config.P4TypeInfo
	parts  int // that were resolved so far
}

// checkWidth refuses widths that no value has.
func checkWidth(bits int32) (int, error) {
	if bits <= 0 || bits > maxWidth {
		return 0, fail(codes.InvalidArgument, "a width of %d bits is not between 1 and %d", bits, maxWidth)
	}
	return int(bits), nil
}

func (s *schema) resolveType(spec *p4config.P4DataTypeSpec) (dataType, error) {
	return (&resolver{schema: s, info: s.info.GetTypeInfo()}).resolve(spec, 0)
}

func (r *resolver) resolve(spec *p4config.P4DataTypeSpec, depth int) (dataType, error) {
	if r.parts++; r.parts > maxParts || depth > maxDepth {
		return dataType{}, fail(codes.InvalidArgument, "the type has more than %d parts, or is nested more than %d deep", maxParts, maxDepth)
	}
	switch t := spec.GetTypeSpec().(type) {
	case *p4config.P4DataTypeSpec_Bitstring:
		switch b := t.Bitstring.GetTypeSpec().(type) {
		case *p4config.P4BitstringLikeTypeSpec_Bit:
			return leafOf(leafBit, b.Bit.GetBitwidth())
		case *p4config.P4BitstringLikeTypeSpec_Int:
			return leafOf(leafInt, b.Int.GetBitwidth())
		}
		return dataType{}, fail(codes.Unimplemented, "varbit values are not supported")
	case *p4config.P4DataTypeSpec_Bool:
		return leafOf(leafBool, 1)
	case *p4config.P4DataTypeSpec_SerializableEnum:
		enum, ok := r.info.GetSerializableEnums()[t.SerializableEnum.GetName()]
		if !ok {
			return dataType{}, fail(codes.InvalidArgument, "unknown enum %q", t.SerializableEnum.GetName())
		}
		return leafOf(leafEnum, enum.GetUnderlyingType().GetBitwidth())
	case *p4config.P4DataTypeSpec_NewType:
		return r.resolveNew(t.NewType.GetName(), depth)
	case *p4config.P4DataTypeSpec_Struct:
		return r.resolveStruct(t.Struct.GetName(), depth)
	case *p4config.P4DataTypeSpec_Tuple:
		out := dataType{leaf: aggregateTuple}
		for _, m := range t.Tuple.GetMembers() {
			mt, err := r.resolve(m, depth+1)
			if err != nil {
				return dataType{}, err
			}
			out.members = append(out.members, mt)
		}
		return out, nil
	}
	return dataType{}, fail(codes.Unimplemented, "type %T is not supported", spec.GetTypeSpec())
}

func leafOf(kind leafKind, bits int32) (dataType, error) {
	w, err := checkWidth(bits)
	return dataType{leaf: kind, width: w}, err
}

func (r *resolver) resolveStruct(name string, depth int) (dataType, error) {
	st, ok := r.info.GetStructs()[name]
	if !ok {
		return dataType{}, fail(codes.InvalidArgument, "unknown struct %q", name)
	}
	out := dataType{leaf: aggregateStruct}
	for _, m := range st.GetMembers() {
		mt, err := r.resolve(m.GetTypeSpec(), depth+1)
		if err != nil {
			return dataType{}, within(err, "member %q", m.GetName())
		}
		out.members = append(out.members, mt)
	}
	return out, nil
}

func (r *resolver) resolveNew(name string, depth int) (dataType, error) {
	nt, ok := r.info.GetNewTypes()[name]
	switch {
	case !ok:
		return dataType{}, fail(codes.InvalidArgument, "unknown type %q", name)
	case nt.GetOriginalType() != nil:
		return r.resolve(nt.GetOriginalType(), depth+1)
	case nt.GetTranslatedType().GetSdnString() != nil:
		return dataType{leaf: leafString, names: r.schema.namesOfSpec(name)}, nil
	}
	return leafOf(leafBit, nt.GetTranslatedType().GetSdnBitwidth())
}

// scalar says whether the type is one value of the engine.
func (t dataType) scalar() bool { return t.leaf != aggregateStruct && t.leaf != aggregateTuple }

// leaves is the number of values of the engine that a type takes.
func (t dataType) leaves() int {
	if t.scalar() {
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
	case leafString:
		return &p4.P4Data{Data: &p4.P4Data_Bitstring{Bitstring: t.names.out(values[0])}}, values[1:]
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
			return inRange(unsigned(v.Bitstring, t.width))
		case leafString:
			return t.names.in(v.Bitstring)
		case leafInt:
			return inRange(signedIn(v.Bitstring, t.width))
		}
	case *p4.P4Data_EnumValue:
		if t.leaf == leafEnum {
			return inRange(unsigned(v.EnumValue, t.width))
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
