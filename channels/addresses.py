"""Which IP addresses may be asked for what strangers name: those of the open internet, and no others."""

import ipaddress


def is_public(address: str) -> bool:
    """Whether an IP address is of the open internet; what IPv6 wraps of IPv4 is judged as that."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved
