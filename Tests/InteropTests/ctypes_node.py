"""Our C library, loaded by name as bindings for other languages do, and one node of it on one network.

What dns_server.py and dns_client.py have in common.
"""

import ctypes
import sys
import time

IPV6, STREAM, DATAGRAM = 10, 1, 2
# Room for any socket address.
ADDRESS_SIZE = 28
TEXT_SIZE = 46


class HostEntry(ctypes.Structure):
    """struct hostent, and struct zts_hostent, which has the same layout."""
    _fields_ = [
        ("name", ctypes.c_char_p), ("aliases", ctypes.POINTER(ctypes.c_char_p)), ("family", ctypes.c_int),
        ("length", ctypes.c_int), ("addresses", ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte)))]


def load(path):
    library = ctypes.CDLL(path)
    integer, text, size = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
    length = ctypes.POINTER(ctypes.c_uint)
    for name, result, *arguments in (
            ("zts_init_from_storage", integer, text),
            ("zts_node_start", integer),
            ("zts_node_is_online", integer),
            ("zts_node_free", integer),
            ("zts_net_join", integer, ctypes.c_uint64),
            ("zts_net_transport_is_ready", integer, ctypes.c_uint64),
            ("zts_addr_get_str", integer, ctypes.c_uint64, ctypes.c_uint, text, ctypes.c_uint),
            ("zts_util_ipstr_to_saddr", integer, text, ctypes.c_ushort, text, length),
            ("zts_ipaddr_aton", integer, text, text),
            ("zts_bsd_socket", integer, integer, integer, integer),
            ("zts_bsd_bind", integer, integer, text, ctypes.c_uint),
            ("zts_bsd_listen", integer, integer, integer),
            ("zts_bsd_accept", integer, integer, text, length),
            ("zts_bsd_recvfrom", ctypes.c_ssize_t, integer, text, size, integer, text, length),
            ("zts_bsd_sendto", ctypes.c_ssize_t, integer, text, size, integer, text, ctypes.c_uint),
            ("zts_bsd_read", ctypes.c_ssize_t, integer, text, size),
            ("zts_bsd_write", ctypes.c_ssize_t, integer, text, size),
            ("zts_bsd_close", integer, integer),
            ("zts_add_dns_nameserver", integer, text),
            ("zts_del_dns_nameserver", integer, text),
            ("zts_gethostbyname", ctypes.POINTER(HostEntry), text),
            ("zts_bsd_gethostbyname", ctypes.POINTER(HostEntry), text),
            ("zts_dns_set_server", integer, ctypes.c_ubyte, text)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def expect(condition, what):
    if not condition:
        sys.exit("failed: " + what)


def start(library, home, network):
    """Starts the node and joins it; its IPv6 address on the network."""
    expect(library.zts_init_from_storage(home.encode()) == 0, "zts_init_from_storage")
    expect(library.zts_node_start() == 0, "zts_node_start")
    while not library.zts_node_is_online():
        time.sleep(0.05)
    expect(library.zts_net_join(network) == 0, "zts_net_join")
    while library.zts_net_transport_is_ready(network) != 1:
        time.sleep(0.05)
    text = ctypes.create_string_buffer(TEXT_SIZE)
    expect(library.zts_addr_get_str(network, IPV6, text, TEXT_SIZE) == 0, "zts_addr_get_str")
    return text.value.decode()


def socket_address(library, text, port):
    """The address in the library's layout, and its length."""
    result, length = ctypes.create_string_buffer(ADDRESS_SIZE), ctypes.c_uint(ADDRESS_SIZE)
    expect(library.zts_util_ipstr_to_saddr(text.encode(), port, result, ctypes.byref(length)) == 0, text)
    return result, length.value
