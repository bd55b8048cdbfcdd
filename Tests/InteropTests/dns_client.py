"""Looks names up with both generations' functions of our C library.

    dns_client.py <libzt.so> <state directory> <network> <address of the name server> <address without one>
"""

import ipaddress
import sys

import ctypes
import ctypes_node
from ctypes_node import expect

path, home, network, server, silent = sys.argv[1:]
library = ctypes_node.load(path)
ctypes_node.start(library, home, int(network, 16))


def look_up(function, name):
    """Prints the addresses in the order they came."""
    found = function(name.encode())
    if not found:
        print("%s: none" % name, flush=True)
        return
    entry, addresses = found.contents, []
    while entry.addresses[len(addresses)]:
        addresses.append(ipaddress.ip_address(bytes(entry.addresses[len(addresses)][:entry.length])))
    expect(entry.name.decode() == name and not entry.aliases[0], "the entry's name")
    # The functions for programs of the host say its numbers of families, of which IPv6's is the same.
    expect(entry.family == (2 if entry.length == 4 else 10), "family %d" % entry.family)
    print("%s: %s" % (name, " ".join(map(str, addresses))), flush=True)


print("second generation", flush=True)
address = ctypes.create_string_buffer(24)
expect(library.zts_ipaddr_aton(server.encode(), address) == 1, "zts_ipaddr_aton")
expect(library.zts_dns_set_server(0, address) == 0, "zts_dns_set_server")
for name in ("host.lan.test", "www.lan.test", "six.lan.test", "nobody.lan.test", "many.lan.test", "10.0.0.9"):
    look_up(library.zts_bsd_gethostbyname, name)
expect(library.zts_dns_set_server(0, None) == 0, "no name server")
look_up(library.zts_bsd_gethostbyname, "host.lan.test")

print("first generation", flush=True)
first, _ = ctypes_node.socket_address(library, silent, 0)
second, _ = ctypes_node.socket_address(library, server, 53)
expect(library.zts_add_dns_nameserver(first) == 0, "zts_add_dns_nameserver")
expect(library.zts_add_dns_nameserver(second) == 0, "zts_add_dns_nameserver")
for name in ("HOST.lan.test", "www.lan.test."):
    look_up(library.zts_gethostbyname, name)
expect(library.zts_del_dns_nameserver(first) == 0, "zts_del_dns_nameserver")
look_up(library.zts_gethostbyname, "many.lan.test")
expect(library.zts_del_dns_nameserver(second) == 0, "zts_del_dns_nameserver")
cutting, _ = ctypes_node.socket_address(library, server, 5353)
expect(library.zts_add_dns_nameserver(cutting) == 0, "zts_add_dns_nameserver")
expect(library.zts_add_dns_nameserver(second) == 0, "zts_add_dns_nameserver")
look_up(library.zts_gethostbyname, "www.lan.test")
expect(library.zts_del_dns_nameserver(cutting) == 0, "zts_del_dns_nameserver")
expect(library.zts_del_dns_nameserver(second) == 0, "zts_del_dns_nameserver")
expect(library.zts_del_dns_nameserver(second) == -5, "a server that is gone")
look_up(library.zts_gethostbyname, "host.lan.test")
expect(library.zts_node_free() == 0, "zts_node_free")
