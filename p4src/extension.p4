// Part of the parser: the states of one place for an IPv6 extension header. protocol is what
// comes next, before and behind it; next is the state behind it, or where there is none.
//
// This is a macro and not a parser of its own, because p4c would give such one a single header
// that all places share, and BMv2 takes the length of what was extracted into a header of
// variable length for part of the next extraction into it.

#ifndef FABRICSCOPE_EXTENSION_P4
#define FABRICSCOPE_EXTENSION_P4

#include "headers.p4"
#include "metadata.p4"

error { BadExtensionHeader }

// Sizes in bytes: options and routing headers count units of 8 without the first (RFC 8200,
// sections 4.3 to 4.6), AH units of 4 without the first two (RFC 4302, section 2.2). An atomic
// fragment, the first and the last at once, is a whole packet (RFC 6946).
#define EXTENSION_STATES(name, extension, protocol, fragment, next) \
    state name { \
        transition select(protocol) { \
            PROTO_HOP_BY_HOP: name##_options; \
            PROTO_ROUTING: name##_options; \
            PROTO_DESTINATION: name##_options; \
            PROTO_FRAGMENT: name##_fragment; \
            PROTO_AH: name##_authentication; \
            default: next; \
        } \
    } \
    state name##_options { \
        size = ((bit<16>)packet.lookahead<bit<16>>()[7:0] + 1) << 3; \
        transition name##_take; \
    } \
    state name##_authentication { \
        size = ((bit<16>)packet.lookahead<bit<16>>()[7:0] + 2) << 2; \
        transition name##_take; \
    } \
    state name##_take { \
        verify(meta.room >= size, error.BadExtensionHeader); \
        meta.room = meta.room - size; \
        packet.extract(extension, ((bit<32>)size << 3) - 16); \
        protocol = extension.next_header; \
        transition next; \
    } \
    state name##_fragment { \
        verify(meta.room >= 8, error.BadExtensionHeader); \
        meta.room = meta.room - 8; \
        bit<32> name##_position = packet.lookahead<bit<32>>() & 0xfff9; \
        packet.extract(extension, 48); \
        protocol = extension.next_header; \
        transition select(name##_position) { \
            0: next; \
            default: fragment; \
        } \
    }

#endif
