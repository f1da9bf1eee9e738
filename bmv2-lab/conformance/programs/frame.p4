// What the programs of this directory share: a header of 16 bytes at the beginning of the frame,
// which is as long as a frame has to be, and the blocks that most of them leave empty.
#ifndef FRAME_P4
#define FRAME_P4

#include <core.p4>
#include <v1model.p4>

header data_t {
    bit<32> a;
    bit<32> b;
    bit<16> c;
    bit<8>  d;
    bit<8>  e;
    bit<32> f;
}

#define PARSER parser parse(packet_in pkt, out headers_t h, inout metadata_t m, inout standard_metadata_t sm)
#define VERIFY control check(inout headers_t h, inout metadata_t m)
#define INGRESS control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t sm)
#define EGRESS control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t sm)
#define UPDATE control update(inout headers_t h, inout metadata_t m)
#define DEPARSER control deparse(packet_out pkt, in headers_t h)

#define ONE_HEADER struct headers_t { data_t data; }
#define NO_METADATA struct metadata_t { }
#define PARSE_ONE PARSER { state start { pkt.extract(h.data); transition accept; } }
#define EMIT_ALL DEPARSER { apply { pkt.emit(h); } }
#define NO_VERIFY VERIFY { apply { } }
#define NO_EGRESS EGRESS { apply { } }
#define NO_UPDATE UPDATE { apply { } }
#define SWITCH V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;

#endif
