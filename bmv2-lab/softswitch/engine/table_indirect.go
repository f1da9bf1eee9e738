package engine

import "fmt"

// Profile is the action profile that the entries name members or groups of, or nil.
func (t *Table) Profile() *Profile { return t.profile }

// bind turns what an entry names into what it runs. A member or group is held until release.
func (t *Table) bind(in *Entry) (*actionData, error) {
	switch {
	case in.Indirect == Direct && t.prog.profile == nil:
		return t.actionData(in.Action, in.Params, false)
	case in.Indirect == Direct:
		return nil, fmt.Errorf("%w: table %s: its entries name a member or a group", ErrInvalid, t.Name())
	}
	return t.bindIndirect(in)
}

func (t *Table) bindIndirect(in *Entry) (*actionData, error) {
	switch {
	case t.profile == nil:
		return nil, fmt.Errorf("%w: table %s has no action profile", ErrInvalid, t.Name())
	case in.Indirect != IndirectMember && in.Indirect != IndirectGroup:
		return nil, fmt.Errorf("%w: table %s: kind %d of action", ErrInvalid, t.Name(), in.Indirect)
	}
	via, err := t.profile.hold(in)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name(), err)
	}
	return &actionData{slot: -1, via: via}, nil
}

// release ends the use of a member or group.
func (t *Table) release(d *actionData) {
	if d.via != nil {
		t.profile.release(d.via)
	}
}

// retain undoes release.
func (t *Table) retain(d *actionData) {
	if d.via != nil {
		t.profile.retain(d.via)
	}
}

// run tells what an entry runs.
func (e *Entry) run(d *actionData) {
	switch {
	case d.via == nil:
		e.Action, e.Params = exportAction(d)
	case d.via.member != nil:
		e.Indirect, e.Member = IndirectMember, d.via.member.id
	default:
		e.Indirect, e.Group = IndirectGroup, d.via.group.id
	}
}

// SetDefaultIndirect makes the default entry name a member or a group: ErrInvalid,
// ErrNotFound, ErrConst.
func (t *Table) SetDefaultIndirect(kind IndirectKind, id uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if def := t.prog.src.Default; def != nil && (def.EntryConst || def.ActionConst) {
		return fmt.Errorf("table %s: default entry: %w", t.Name(), ErrConst)
	}
	data, err := t.bindIndirect(&Entry{Indirect: kind, Member: id, Group: id})
	if err != nil {
		return err
	}
	t.swapDefault(data)
	return nil
}
