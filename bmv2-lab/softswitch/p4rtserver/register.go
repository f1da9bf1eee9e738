package p4rtserver

import (
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// register is a register array and the type of its cells.
type register struct {
	engine *engine.Register
	cell   dataType
}

func (s *schema) bindRegisters(sw *engine.Switch) error {
	for _, r := range s.info.GetRegisters() {
		id, name, err := preamble("register", r.GetPreamble())
		if err != nil {
			return err
		}
		er, ok := sw.Register(name)
		if !ok {
			return disagree("the program has no register %q", name)
		}
		cell, err := s.resolveType(r.GetTypeSpec())
		if err != nil {
			return within(err, "register %q", name)
		}
		if !cell.scalar() {
			return fail(codes.Unimplemented, "register %q: cells of struct or tuple type are not supported", name)
		}
		s.registers[id] = &register{engine: er, cell: cell}
		s.registerOrder = append(s.registerOrder, id)
	}
	return nil
}

// index checks an array index: -1 stands for all cells.
func index(ix *p4.Index, size int) (int, error) {
	switch {
	case ix == nil:
		return -1, nil
	case ix.GetIndex() < 0:
		return 0, fail(codes.InvalidArgument, "index %d is negative", ix.GetIndex())
	case ix.GetIndex() >= int64(size):
		return 0, fail(codes.OutOfRange, "index %d: there are %d cells", ix.GetIndex(), size)
	}
	return int(ix.GetIndex()), nil
}

func (p *pipeline) findRegister(id uint32) (*register, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "register id is not set")
	}
	r := p.schema.registers[id]
	if r == nil {
		return nil, fail(codes.NotFound, "no register has id %#x", id)
	}
	return r, nil
}

func (p *pipeline) writeRegister(op p4.Update_Type, e *p4.RegisterEntry) error {
	r, err := p.findRegister(e.GetRegisterId())
	if err != nil {
		return err
	}
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "register %q: %s: registers can only be modified", r.engine.Name(), op)
	}
	i, err := index(e.GetIndex(), r.engine.Size())
	if err != nil {
		return within(err, "register %q", r.engine.Name())
	}
	value, err := r.cell.decode(e.GetData())
	if err != nil {
		return within(err, "register %q", r.engine.Name())
	}
	if i < 0 {
		return within(r.engine.Fill(value), "register %q", r.engine.Name())
	}
	return within(r.engine.Write(i, value), "register %q", r.engine.Name())
}

func (p *pipeline) readRegister(e *p4.RegisterEntry, out entities) error {
	ids := p.schema.registerOrder
	if e.GetRegisterId() != 0 {
		if _, err := p.findRegister(e.GetRegisterId()); err != nil {
			return err
		}
		ids = []uint32{e.GetRegisterId()}
	}
	for _, id := range ids {
		r := p.schema.registers[id]
		first, last := 0, r.engine.Size()
		if e.GetRegisterId() != 0 {
			i, err := index(e.GetIndex(), r.engine.Size())
			if err != nil {
				return within(err, "register %q", r.engine.Name())
			}
			if i >= 0 {
				first, last = i, i+1
			}
		}
		for i := first; i < last; i++ {
			v, err := r.engine.Read(i)
			if err != nil {
				return within(err, "register %q", r.engine.Name())
			}
			data, _ := r.cell.encode([][]byte{v})
			out.add(&p4.Entity{Entity: &p4.Entity_RegisterEntry{RegisterEntry: &p4.RegisterEntry{
				RegisterId: id, Index: &p4.Index{Index: int64(i)}, Data: data,
			}}})
		}
	}
	return nil
}
