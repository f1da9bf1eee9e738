// Package workload is the shop: the microservices that give the lab its
// traffic, all roles of one executable, and their Kubernetes manifests.
//
//	client (outside) ─ NodePort ─┐
//	loadgen ─ ClusterIP ───────> frontend ──> catalog
//	  │                             └───────> cart ──> store
//	  └─ ICMP echo to the pods of store         every name by DNS: kube-dns
//
// Half of the HTTP requests reuse a connection and half make their own, so that
// long and short TCP flows, UDP (DNS) and ICMP all show.
package workload
