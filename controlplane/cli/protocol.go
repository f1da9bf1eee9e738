package cli

import "fmt"

// Protocols that need telling apart, by their numbers in the model.
const (
	icmp   = 1
	icmpv6 = 58
)

// protocolName gives the name of a protocol, or its number.
func protocolName(n uint64) string {
	switch n {
	case icmp:
		return "icmp"
	case 6:
		return "tcp"
	case 4:
		return "ipv4"
	case 17:
		return "udp"
	case 41:
		return "ipv6"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case icmpv6:
		return "icmpv6"
	case 132:
		return "sctp"
	case 256:
		return "arp"
	}
	return fmt.Sprintf("ip-%d", n)
}
