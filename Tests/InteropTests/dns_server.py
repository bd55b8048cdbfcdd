"""A name server made of the package dnslib on the virtual network: it takes questions from sockets of our C library.

    dns_server.py <libzt.so> <wheel of dnslib> <state directory> <network>

Says for each question how it came, the name and the type. Behind another port is one that only gives cut answers
without records, and takes no streams.
"""

import ctypes
import sys
import threading

path, wheel, home, network = sys.argv[1:]
sys.path.insert(0, wheel)

import ctypes_node  # noqa: E402
import dnslib  # noqa: E402
from ctypes_node import expect  # noqa: E402

PORT = 53
CUT_PORT = 5353
# What a question without extensions lets a datagram hold (RFC 1035, section 4.2.1).
DATAGRAM_SIZE = 512
ZONE = """
host.lan.test. 60 IN A 10.1.2.3
host.lan.test. 60 IN A 10.1.2.4
www.lan.test. 60 IN CNAME host.lan.test.
six.lan.test. 60 IN AAAA fd00:53::7
""" + "".join("many.lan.test. 60 IN A 10.9.8.%d\n" % number for number in range(1, 41))

records = dnslib.RR.fromZone(ZONE)
library = ctypes_node.load(path)


def resolve(request):
    """What a server answers that looks further by itself: aliases with the records that they lead to."""
    reply, name = request.reply(), request.q.qname
    known = [record for record in records if record.rname == name]
    if not known:
        reply.header.rcode = dnslib.RCODE.NXDOMAIN
    while known:
        reply.add_answer(*(record for record in known if record.rtype in (request.q.qtype, dnslib.QTYPE.CNAME)))
        aliases = [record.rdata.label for record in known if record.rtype == dnslib.QTYPE.CNAME]
        known = [record for record in records if record.rname in aliases]
    return reply


def answer(question, way):
    request = dnslib.DNSRecord.parse(question)
    print("%s %s %s" % (way, str(request.q.qname).rstrip("."), dnslib.QTYPE[request.q.qtype]), flush=True)
    reply = resolve(request)
    if way == "cut" or way == "datagram" and len(reply.pack()) > DATAGRAM_SIZE:
        # The package leaves the question out, which an answer has to repeat.
        reply = reply.truncate()
        reply.add_question(request.q)
    return bytes(reply.pack())


def serve_datagrams(descriptor, way):
    question, remote = ctypes.create_string_buffer(DATAGRAM_SIZE), ctypes.create_string_buffer(28)
    while True:
        length = ctypes.c_uint(28)
        count = library.zts_bsd_recvfrom(descriptor, question, DATAGRAM_SIZE, 0, remote, ctypes.byref(length))
        expect(count > 0, "zts_bsd_recvfrom")
        reply = answer(question.raw[:count], way)
        sent = library.zts_bsd_sendto(descriptor, reply, len(reply), 0, remote, length.value)
        expect(sent == len(reply), "zts_bsd_sendto")


def read(descriptor, count):
    result = b""
    while len(result) < count:
        part = ctypes.create_string_buffer(count - len(result))
        got = library.zts_bsd_read(descriptor, part, len(part))
        if got <= 0:
            return None
        result += part.raw[:got]
    return result


def serve_streams(listener):
    while True:
        descriptor = library.zts_bsd_accept(listener, None, None)
        expect(descriptor >= 0, "zts_bsd_accept")
        while (length := read(descriptor, 2)) and (question := read(descriptor, int.from_bytes(length, "big"))):
            reply = answer(question, "stream")
            message = len(reply).to_bytes(2, "big") + reply
            # In two parts: a message need not come in one segment.
            for part in (message[:100], message[100:]):
                expect(library.zts_bsd_write(descriptor, part, len(part)) == len(part), "zts_bsd_write")
        library.zts_bsd_close(descriptor)


address = ctypes_node.start(library, home, int(network, 16))
descriptors = []
for kind, port in ((ctypes_node.DATAGRAM, PORT), (ctypes_node.STREAM, PORT), (ctypes_node.DATAGRAM, CUT_PORT)):
    local, length = ctypes_node.socket_address(library, "::", port)
    descriptor = library.zts_bsd_socket(ctypes_node.IPV6, kind, 0)
    expect(descriptor >= 0 and library.zts_bsd_bind(descriptor, local, length) == 0, "zts_bsd_bind")
    descriptors.append(descriptor)
expect(library.zts_bsd_listen(descriptors[1], 8) == 0, "zts_bsd_listen")
threading.Thread(target=serve_streams, args=(descriptors[1],), daemon=True).start()
threading.Thread(target=serve_datagrams, args=(descriptors[2], "cut"), daemon=True).start()
print("name server at %s" % address, flush=True)
serve_datagrams(descriptors[0], "datagram")
