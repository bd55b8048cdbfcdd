"""What a program does that looks the second generation's functions up by name, as bindings for other languages do.

    ctypes_echo.py <zt18/libzt.so> <state directory> <network> <address> <port>

Sends 4096 bytes to an echo and compares what comes back.
"""

import ctypes
import ipaddress
import sys
import time

path, home, network, address, port = sys.argv[1:]
network, port = int(network, 16), int(port)
library = ctypes.CDLL(path)
for name, result, *arguments in (
        ("zts_init_from_storage", ctypes.c_int, ctypes.c_char_p),
        ("zts_node_start", ctypes.c_int),
        ("zts_node_is_online", ctypes.c_int),
        ("zts_node_free", ctypes.c_int),
        ("zts_net_join", ctypes.c_int, ctypes.c_uint64),
        ("zts_net_transport_is_ready", ctypes.c_int, ctypes.c_uint64),
        ("zts_socket", ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ("zts_connect", ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_ushort, ctypes.c_int),
        ("zts_getpeername", ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_ushort)),
        ("zts_write", ctypes.c_ssize_t, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t),
        ("zts_read", ctypes.c_ssize_t, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t),
        ("zts_shutdown_wr", ctypes.c_int, ctypes.c_int),
        ("zts_close", ctypes.c_int, ctypes.c_int)):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
error_number = ctypes.c_int.in_dll(library, "zts_errno")


def expect(condition, what):
    if not condition:
        sys.exit("%s: zts_errno %d" % (what, error_number.value))


# This generation's number for "not running"; the first one's is -3.
expect(library.zts_socket(10, 1, 0) == -2, "a socket before the start")
expect(library.zts_init_from_storage(home.encode()) == 0, "zts_init_from_storage")
expect(library.zts_node_start() == 0, "zts_node_start")
while not library.zts_node_is_online():
    time.sleep(0.05)
expect(library.zts_net_join(network) == 0, "zts_net_join")
while library.zts_net_transport_is_ready(network) != 1:
    time.sleep(0.05)
expect(library.zts_close(9999) == -1 and error_number.value == 9, "a descriptor that does not exist")

descriptor = library.zts_socket(10, 1, 0)
expect(descriptor >= 0, "zts_socket")
expect(library.zts_connect(descriptor, address.encode(), port, 0) == 0, "zts_connect")
remote, remote_port = ctypes.create_string_buffer(46), ctypes.c_ushort()
expect(library.zts_getpeername(descriptor, remote, 46, ctypes.byref(remote_port)) == 0, "zts_getpeername")
expect(ipaddress.ip_address(remote.value.decode()) == ipaddress.ip_address(address) and remote_port.value == port,
       "another peer: %s, port %d" % (remote.value.decode(), remote_port.value))
message = bytes(index * 31 % 251 for index in range(4096))
expect(library.zts_write(descriptor, message, len(message)) == len(message), "zts_write")
expect(library.zts_shutdown_wr(descriptor) == 0, "zts_shutdown_wr")
echo, buffer = b"", ctypes.create_string_buffer(1024)
while (count := library.zts_read(descriptor, buffer, len(buffer))) > 0:
    echo += buffer.raw[:count]
expect(echo == message, "%d bytes came back" % len(echo))
print("echoed %d bytes" % len(echo))
expect(library.zts_close(descriptor) == 0, "zts_close")
expect(library.zts_node_free() == 0, "zts_node_free")
