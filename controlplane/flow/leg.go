package flow

// Side says on which side of an address translation a leg is.
type Side string

// Sides: from the client to the address that it knows, and from the node that translates to the
// server that it chose.
const (
	Front Side = "front"
	Back  Side = "back"
)

// Leg is a conversation that carries the same connection or exchange as another one, on the other
// side of an address translation.
type Leg struct {
	ID         string `json:"id"`               // of the conversation
	Side       Side   `json:"side"`             // that it is on
	Exact      bool   `json:"exact"`            // nothing else can be it; otherwise it is a guess
	Candidates int    `json:"candidates"`       // conversations that could be it
	Reason     string `json:"reason,omitempty"` // why it is a guess
	End        End    `json:"end"`              // which only it shows: the client of the front, the server of the back
}
