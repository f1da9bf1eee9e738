package cli

import (
	"cmp"
	"slices"
	"time"
)

const endpointsPath = "fabric/endpoints"

// endpoint is an address that a switch learned at a port, in JSON output.
type endpoint struct {
	Switch  string    `json:"switch"`
	Port    string    `json:"port"`
	Address string    `json:"address"`
	MAC     string    `json:"mac"`
	Since   time.Time `json:"since,omitzero"`
}

func readEndpoints(data *branch) []endpoint {
	var list []endpoint
	for _, e := range data.each("fabric", "endpoints", "endpoint") {
		s := e.in("state")
		list = append(list, endpoint{e.key("switch"), e.key("interface"), e.key("address"), s.text("mac-address"), s.instant("since")})
	}
	slices.SortFunc(list, func(a, b endpoint) int {
		return cmp.Or(cmp.Compare(a.Switch, b.Switch), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address))
	})
	return list
}
