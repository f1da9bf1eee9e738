#ifndef FABRICSCOPE_DEPARSER_P4
#define FABRICSCOPE_DEPARSER_P4

#include "headers.p4"

control FabricscopeDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.slot_report);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.vlan);
        packet.emit(hdr.second_vlan);
        packet.emit(hdr.arp);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.ipv4_options);
        packet.emit(hdr.ipv6);
        packet.emit(hdr.extension1);
        packet.emit(hdr.extension2);
        packet.emit(hdr.extension3);
        packet.emit(hdr.extension4);
        packet.emit(hdr.tcp);
        packet.emit(hdr.udp);
        packet.emit(hdr.vxlan);
        packet.emit(hdr.geneve);
        packet.emit(hdr.geneve_options);
        packet.emit(hdr.gre);
        packet.emit(hdr.gre_checksum);
        packet.emit(hdr.gre_key);
        packet.emit(hdr.gre_sequence);
        packet.emit(hdr.inner_ethernet);
        packet.emit(hdr.inner_vlan);
        packet.emit(hdr.inner_second_vlan);
        packet.emit(hdr.inner_arp);
        packet.emit(hdr.inner_ipv4);
        packet.emit(hdr.inner_ipv4_options);
        packet.emit(hdr.inner_ipv6);
        packet.emit(hdr.inner_extension1);
        packet.emit(hdr.inner_extension2);
        packet.emit(hdr.inner_tcp);
    }
}

#endif
