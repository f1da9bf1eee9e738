// Part of the parser: one IPv6 extension header, if the next header is one. What it is behind
// comes and goes in protocol; BMv2 cannot loop over headers of variable length, so the parser
// applies this as often as it has places for extension headers.

#ifndef FABRICSCOPE_EXTENSION_P4
#define FABRICSCOPE_EXTENSION_P4

#include "headers.p4"
#include "metadata.p4"

error { BadExtensionHeader }

parser ExtensionParser(packet_in packet, inout ipv6_extension_t extension,
                       inout bit<8> protocol, inout bit<16> room, inout bit<1> fragment) {
    bit<16> size;
    bool fits;

    state start {
        transition select(fragment, protocol) {
            (0, PROTO_HOP_BY_HOP): options;
            (0, PROTO_ROUTING): options;
            (0, PROTO_DESTINATION): options;
            (0, PROTO_FRAGMENT): fragment_header;
            (0, PROTO_AH): authentication;
            default: accept;
        }
    }

    // In units of 8 bytes, without the first (RFC 8200, section 4.3).
    state options {
        size = ((bit<16>)packet.lookahead<bit<16>>()[7:0] + 1) << 3;
        transition take;
    }

    // In units of 4 bytes, without the first two (RFC 4302, section 2.2).
    state authentication {
        size = ((bit<16>)packet.lookahead<bit<16>>()[7:0] + 2) << 2;
        transition take;
    }

    // An atomic fragment is a whole packet (RFC 6946).
    state fragment_header {
        size = 8;
        bit<64> whole = packet.lookahead<bit<64>>();
        fragment = whole[47:32] & 0xfff9 == 0 ? 1w0 : 1w1;
        transition take;
    }

    state take {
        fits = room >= size;
        verify(fits, error.BadExtensionHeader);
        room = room - size;
        packet.extract(extension, ((bit<32>)size << 3) - 16);
        protocol = extension.next_header;
        transition accept;
    }
}

#endif
