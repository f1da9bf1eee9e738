// Sizes of everything that hardware would have to allocate.

#ifndef FABRICSCOPE_SIZES_P4
#define FABRICSCOPE_SIZES_P4

// The flow cache has two ways of this many slots. A second way is addressed by a 16-bit CRC,
// so more than 65536 slots a way would leave part of it unused.
#ifndef FLOW_SLOTS_PER_WAY
#define FLOW_SLOTS_PER_WAY 8192
#endif

// A flow that is still going reports its counters in its first packet of each epoch. An epoch
// is 2 to the power of this many microseconds: 1.05 s.
#ifndef FLOW_EPOCH_BITS
#define FLOW_EPOCH_BITS 20
#endif

#define MAX_PORTS 512
#define MAX_ROUTES 16384
#define MAX_NEXTHOPS 8192
#define MAX_ECMP_MEMBERS 4096
#define MAX_TUNNEL_PORTS 64

// Class buckets of one port; a power of two, so that port and class concatenate to an index.
#define CLASSES_PER_PORT 8

#endif
