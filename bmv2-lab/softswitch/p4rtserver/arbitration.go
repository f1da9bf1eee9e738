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
	highest electionID // ever seen of a primary
	primary *client    // nil if there is none
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
	a.mu.Lock()
	r, err := a.admit(c, u)
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
	a.promote(r, c, id) // releases mu
	if was != c {
		a.changed()
	}
	return nil
}

// admit checks an update and lists the client with its role. Called with mu.
func (a *arbiter) admit(c *client, u *p4.MasterArbitrationUpdate) (*role, error) {
	name := u.GetRole().GetName()
	switch {
	case c.role == nil && u.GetDeviceId() != a.device:
		return nil, fail(codes.NotFound, "arbitration: no device %d; this is device %d", u.GetDeviceId(), a.device)
	case u.GetDeviceId() != a.device:
		return nil, fail(codes.FailedPrecondition, "arbitration: the stream belongs to device %d", a.device)
	case c.role != nil && c.role.name != name:
		return nil, fail(codes.FailedPrecondition, "arbitration: the stream belongs to role %q", c.role.name)
	case u.GetRole().GetConfig() != nil:
		return nil, fail(codes.InvalidArgument, "arbitration: role %q: no scheme of role configurations is agreed upon", name)
	}
	r := a.roles[name]
	if r == nil {
		r = &role{name: name}
	}
	if id := electionOf(u.GetElectionId()); id.set {
		for _, other := range r.clients {
			if other != c && other.election == id {
				return nil, fail(codes.InvalidArgument, "arbitration: another client of role %q has election id %d, %d", name, id.high, id.low)
			}
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
	if c.role == r { // it has not left meanwhile
		r.primary = c
		c.control(a.message(r, codes.OK))
	}
	a.mu.Unlock()
}

// remove ends a client's session.
func (a *arbiter) remove(c *client) {
	a.mu.Lock()
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

// check says whether a unary request comes from the primary.
func (a *arbiter) check(device uint64, roleName string, id *p4.Uint128) error {
	if device != a.device {
		return fail(codes.NotFound, "no device %d; this is device %d", device, a.device)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.roles[roleName]
	if r == nil {
		if roleName == "" {
			return fail(codes.PermissionDenied, "not primary: no client has opened a stream")
		}
		return fail(codes.NotFound, "no role %q", roleName)
	}
	if r.primary == nil || r.primary.election != electionOf(id) {
		return fail(codes.PermissionDenied, "not primary: the election id is not that of the primary of role %q", roleName)
	}
	return nil
}

// isPrimary says whether a stream's client is the primary of its role.
func (a *arbiter) isPrimary(c *client) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.role != nil && c.role.primary == c
}

// broadcast offers a message to the primary of every role and says how many took it, and
// whether there was any.
func (a *arbiter) broadcast(m *p4.StreamMessageResponse) (taken int, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.roles {
		if r.primary == nil {
			continue
		}
		any = true
		if r.primary.bulk(m) {
			taken++
		}
	}
	return taken, any
}

// primaries is the number of roles that have a primary, and clients that of all sessions.
func (a *arbiter) census() (primaries, clients int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.roles {
		clients += len(r.clients)
		if r.primary != nil {
			primaries++
		}
	}
	return primaries, clients
}
