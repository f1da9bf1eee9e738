package p4rtserver

import (
	"sync"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// Arbitration: P4Runtime specification, section 5.

// maxClients bounds the streams of one role.
const maxClients = 64

// electionID is a 128-bit number; set is false for a client that cannot become primary.
type electionID struct {
	high, low uint64
	set       bool
}

func electionOf(u *p4.Uint128) electionID {
	return electionID{high: u.GetHigh(), low: u.GetLow(), set: u != nil}
}

func (e electionID) proto() *p4.Uint128 {
	if !e.set {
		return nil
	}
	return &p4.Uint128{High: e.high, Low: e.low}
}

// less orders election ids; one that is not set is below all others.
func (e electionID) less(o electionID) bool {
	if e.set != o.set {
		return o.set
	}
	return e.high < o.high || e.high == o.high && e.low < o.low
}

// role is what arbitration knows of one role.
type role struct {
	name    string
	highest electionID  // ever seen of a primary
	primary *client     // nil if there is none
	config  *roleConfig // of the last primary, also after it has left
	clients []*client
}

// arbiter decides which client is the primary of each role of the one device.
type arbiter struct {
	device uint64
	// settle waits until no write of a former primary is in progress.
	settle func()
	// changed is called, without locks, after a role's primary became another or none.
	changed func()

	updates sync.Mutex // held during an update, so that they take turns

	mu    sync.Mutex // guards the fields below, and each client's role and election id
	roles map[string]*role
}

func newArbiter(device uint64, settle, changed func()) *arbiter {
	return &arbiter{device: device, settle: settle, changed: changed, roles: map[string]*role{}}
}

// update handles a MasterArbitrationUpdate. An error ends the client's stream.
func (a *arbiter) update(c *client, u *p4.MasterArbitrationUpdate) error {
	a.updates.Lock()
	defer a.updates.Unlock()
	config, err := newRoleConfig(u.GetRole().GetConfig())
	if err != nil {
		return within(err, "arbitration: role %q", u.GetRole().GetName())
	}
	a.mu.Lock()
	r, err := a.admit(c, u, config)
	if err != nil {
		a.mu.Unlock()
		return err
	}
	id := electionOf(u.GetElectionId())
	c.election = id
	was := r.primary
	if !id.set || id.less(r.highest) {
		if was != c {
			a.notify(r, c)
			a.mu.Unlock()
			return nil
		}
		r.primary = nil // it stepped down
		a.notify(r, r.clients...)
		a.mu.Unlock()
		a.changed()
		return nil
	}
	r.config = config
	a.promote(r, c, id) // releases mu
	if was != c {
		a.changed()
	}
	return nil
}

// admit checks an update and lists the client with its role. Called with mu.
func (a *arbiter) admit(c *client, u *p4.MasterArbitrationUpdate, config *roleConfig) (*role, error) {
	name, id := u.GetRole().GetName(), electionOf(u.GetElectionId())
	switch {
	case c.gone: // while its update waited for its turn
		return nil, fail(codes.Canceled, "arbitration: the stream has ended")
	case c.role == nil && u.GetDeviceId() != a.device:
		return nil, fail(codes.NotFound, "arbitration: no device %d; this is device %d", u.GetDeviceId(), a.device)
	case u.GetDeviceId() != a.device:
		return nil, fail(codes.FailedPrecondition, "arbitration: the stream belongs to device %d", a.device)
	case c.role != nil && c.role.name != name:
		return nil, fail(codes.FailedPrecondition, "arbitration: the stream belongs to role %q", c.role.name)
	case name == "" && u.GetRole().GetId() != 0: //nolint:staticcheck // deprecated, and not the default role
		return nil, fail(codes.InvalidArgument, "arbitration: roles have names, not numbers, since P4Runtime 1.4")
	case name == "" && config != nil:
		return nil, fail(codes.InvalidArgument, "arbitration: the default role has full access and no configuration")
	}
	r := a.roles[name]
	if r == nil {
		r = &role{name: name}
	}
	if id.set {
		for _, other := range r.clients {
			if other != c && other.election == id {
				return nil, fail(codes.InvalidArgument, "arbitration: another client of role %q has election id %d, %d", name, id.high, id.low)
			}
		}
		if err := a.claim(r, id, config); err != nil {
			return nil, err
		}
	}
	if c.role == nil {
		if len(r.clients) >= maxClients {
			return nil, fail(codes.ResourceExhausted, "arbitration: role %q has %d clients already", name, maxClients)
		}
		if a.roles[name] == nil && len(a.roles) >= maxRoles {
			return nil, fail(codes.ResourceExhausted, "arbitration: there are %d roles already", maxRoles)
		}
		a.roles[name] = r
		c.role = r
		r.clients = append(r.clients, c)
	}
	return r, nil
}

// claim checks that a client which is to be the primary asks for no id of another role. That
// of backups does not count: their configuration is the primary's. Called with mu.
func (a *arbiter) claim(r *role, id electionID, config *roleConfig) error {
	if id.less(r.highest) {
		return nil
	}
	for _, other := range a.roles {
		if other == r {
			continue
		}
		if id, collide := config.collides(other.config); collide {
			return fail(codes.InvalidArgument, "arbitration: id %#x is claimed by role %q and by role %q, by one of them exclusively", id, r.name, other.name)
		}
	}
	return nil
}

// maxRoles bounds the roles that the arbiter remembers.
const maxRoles = 256

// promote makes a client the primary, in the order that the specification prescribes: no
// more writes of the old one, tell the others, let writes end, tell the new one. Called with
// mu, which it releases.
func (a *arbiter) promote(r *role, c *client, id electionID) {
	r.highest = id
	var others []*client
	for _, other := range r.clients {
		if other != c {
			others = append(others, other)
		}
	}
	if r.primary == c {
		a.notify(r, r.clients...)
		a.mu.Unlock()
		return
	}
	r.primary = nil
	for _, other := range others {
		other.control(a.message(r, codes.AlreadyExists))
	}
	a.mu.Unlock()
	a.settle()
	a.mu.Lock()
	if c.role == r {
		r.primary = c
		c.control(a.message(r, codes.OK))
	} else { // it has left meanwhile, and the others wait for it in vain
		a.notify(r, r.clients...)
	}
	a.mu.Unlock()
}

// remove ends a client's session.
func (a *arbiter) remove(c *client) {
	a.mu.Lock()
	c.gone = true
	r := c.role
	if r == nil {
		a.mu.Unlock()
		return
	}
	c.role = nil
	for i, other := range r.clients {
		if other == c {
			r.clients = append(r.clients[:i], r.clients[i+1:]...)
			break
		}
	}
	was := r.primary == c
	if was {
		r.primary = nil
		a.notify(r, r.clients...)
	}
	a.mu.Unlock()
	if was {
		a.changed()
	}
}

// notify tells clients who they are. Called with mu.
func (a *arbiter) notify(r *role, clients ...*client) {
	for _, c := range clients {
		switch {
		case r.primary == nil:
			c.control(a.message(r, codes.NotFound))
		case r.primary == c:
			c.control(a.message(r, codes.OK))
		default:
			c.control(a.message(r, codes.AlreadyExists))
		}
	}
}

func (a *arbiter) message(r *role, code codes.Code) *p4.StreamMessageResponse {
	u := &p4.MasterArbitrationUpdate{DeviceId: a.device, ElectionId: r.highest.proto(), Status: &spb.Status{Code: int32(code)}}
	if r.name != "" {
		u.Role = &p4.Role{Name: r.name}
		if r.config != nil {
			u.Role.Config = r.config.sent
		}
	}
	switch code {
	case codes.OK:
		u.Status.Message = "Is primary"
	case codes.AlreadyExists:
		u.Status.Message = "Is backup"
	default:
		u.Status.Message = "No primary"
	}
	return &p4.StreamMessageResponse{Update: &p4.StreamMessageResponse_Arbitration{Arbitration: u}}
}

// check says whether a unary request comes from the primary, and what its role may do.
func (a *arbiter) check(device uint64, roleName string, id *p4.Uint128) (*roleConfig, error) {
	if device != a.device {
		return nil, fail(codes.NotFound, "no device %d; this is device %d", device, a.device)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.roles[roleName]
	if r == nil {
		if roleName == "" {
			return nil, fail(codes.PermissionDenied, "not primary: no client has opened a stream")
		}
		return nil, fail(codes.NotFound, "no role %q", roleName)
	}
	if r.primary == nil || r.primary.election != electionOf(id) {
		return nil, fail(codes.PermissionDenied, "not primary: the election id is not that of the primary of role %q", roleName)
	}
	return r.config, nil
}

// scope is what a role may read; a request without a role may read everything.
func (a *arbiter) scope(roleName string) (*roleConfig, error) {
	if roleName == "" {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.roles[roleName]
	if r == nil {
		return nil, fail(codes.NotFound, "no role %q", roleName)
	}
	return r.config, nil
}

// primary says whether a stream's client is the primary of its role, and what that may do.
func (a *arbiter) primary(c *client) (*roleConfig, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.role == nil || c.role.primary != c {
		return nil, false
	}
	return c.role.config, true
}

// knows says whether a client has a role.
func (a *arbiter) knows(c *client) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.role != nil
}

// broadcast offers a message to the primary of every role that may have it. It says how many
// took it, and whether there was one to offer it to.
func (a *arbiter) broadcast(m *p4.StreamMessageResponse, may func(*roleConfig) bool) (taken int, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.roles {
		if r.primary == nil || !may(r.config) {
			continue
		}
		any = true
		if r.primary.bulk(m) {
			taken++
		}
	}
	return taken, any
}
