// Package ports is the switch's physical layer: frames come in from network interfaces
// (AF_PACKET), from memory, from capture files and from the control plane, and go out the
// same ways.
//
// A Set is polled by one goroutine, its owner: the owner alone calls Poll and Transmit, and
// every frame is handed over on it. Other goroutines may call Inject, Wake, Impair, Shut and
// Stats at any time. With ParallelSend the system calls that send are made by a goroutine of
// each port, in the order in which the owner sent.
//
// Frames are raw bytes. What the kernel takes out of a frame on its way up, the outermost
// 802.1Q or 802.1ad tag (it moves to the metadata of the socket buffer), is put back where it
// was, so a frame leaves as it came. Nothing is padded, cut or checksummed.
//
// Loss is counted by its cause: in the kernel's queue before the switch, in the queues of
// this package, on transmission, at ports that are shut, and on purpose (Impairment).
package ports
