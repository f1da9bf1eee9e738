// truncate in ingress and in egress; longer than the packet changes nothing.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE
INGRESS { apply { sm.egress_spec = 2; if (h.data.d == 1) { truncate(20); } if (h.data.d == 2) { truncate(1000); } } }
EGRESS { apply { if (h.data.d == 3) { truncate(15); } if (h.data.d == 4) { truncate(24); truncate(30); } h.data.b = sm.packet_length; } }
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
