package stf

import "fmt"

// mirroringAdd is mirroring_add SESSION PORT and mirroring_add_mc SESSION GROUP.
type mirroringAdd struct {
	session uint16
	to      mirror
}

func parseMirroringAdd(s *scanner) command {
	return &mirroringAdd{parseSession(s), mirror{port: parsePort(s)}}
}

func parseMirroringAddGroup(s *scanner) command {
	return &mirroringAdd{parseSession(s), mirror{group: parseGroup(s), toGroup: true}}
}

func parseSession(s *scanner) uint16 { return uint16(s.number("the session", maxID)) }

func (c *mirroringAdd) run(x *run) error {
	if x.pre.sessions == nil {
		x.pre.sessions = map[uint16]mirror{}
	}
	x.pre.sessions[c.session] = c.to
	return x.pushSession(c.session)
}

// mirroringDelete is mirroring_delete SESSION.
type mirroringDelete struct{ session uint16 }

func parseMirroringDelete(s *scanner) command { return &mirroringDelete{parseSession(s)} }

func (c *mirroringDelete) run(x *run) error {
	delete(x.pre.sessions, c.session)
	return x.target.DeleteClone(c.session)
}

// mirroringGet prints a session: mirroring_get SESSION.
type mirroringGet struct{ session uint16 }

func parseMirroringGet(s *scanner) command { return &mirroringGet{parseSession(s)} }

func (c *mirroringGet) run(x *run) error {
	m, ok := x.pre.sessions[c.session]
	switch {
	case !ok:
		return fmt.Errorf("there is no mirroring session %d", c.session)
	case m.toGroup:
		x.print("mirroring session %d: group %d", c.session, m.group)
	default:
		x.print("mirroring session %d: port %d", c.session, m.port)
	}
	return nil
}
