// Package stacks makes captures of what kernels send: two network namespaces talk TCP, UDP, ICMP
// and ICMPv6 over a cable, and inside the kernel's VXLAN over IPv4 and IPv6, with fragments,
// refusals and extension headers. What the kernel may have no devices for (tags, Geneve, GRE, IP
// in IP) carries the same frames, wrapped by package traffic.
package stacks
