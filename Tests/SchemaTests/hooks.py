"""What schemathesis is told besides the description: what there is to find, which failures are none, and what is counted."""

import collections
import json
import os
import re
import zlib

import schemathesis

_network, _address = os.environ["SCHEMA_NETWORK"], os.environ["SCHEMA_ADDRESS"]
_counts = collections.Counter()
_sources = [
    "accept;", "drop not ethertype ipv4 and not ethertype arp; accept;", "tag t id 1 default 2; drop tdiff t 0; accept;",
    "cap c id 3 accept dport 22; ; drop;", "macro m($a) accept dport $a;; include m(80) drop;", "drop", "watch 64 1122334455 chr tcp_syn;",
]


def _number(value):
    return zlib.crc32(repr(value).encode())


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the IDs that could be one are those of this node's networks, members and address."""
    if not path_parameters or "/controller" not in context.operation.path:
        return path_parameters
    for name, value in path_parameters.items():
        if not isinstance(value, str) or not re.fullmatch("[0-9A-Fa-f]{10}([0-9A-Fa-f]{6})?", value):
            continue
        choice = _number(value) % 4
        if name == "network":
            path_parameters[name] = [_network, _address + value[10:], value, value][choice]
        elif name == "node":
            path_parameters[name] = ["1122334455", "1122334455", value, value][choice]
        elif name == "controller":
            path_parameters[name] = [_address, _address, _address, value][choice]
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """Most texts of rules mean something, and most members can be. What was made wrong on purpose stays so."""
    if isinstance(body, dict) and isinstance(body.get("source"), str) and _number(body) % 4:
        body["source"] = _sources[_number(body) % len(_sources)]
        for name, address in (("from", "1122334455"), ("to", "2233445566")):
            member = body.get(name)
            if isinstance(member, dict) and re.fullmatch("[0-9A-Fa-f]{10}", str(member.get("address"))):
                member["address"] = address
    return body


@schemathesis.deserializer("application/javascript")
def deserialize_script(context, response):
    return response.content.decode("utf-8")


def _is_json(body):
    try:
        # An empty body is an empty object.
        json.loads(body or "{}")
    except ValueError:
        return False
    return True


# What is no JSON says nothing there: some tools send an empty body or a form.
_DEAF = {"POST /network/{network}", "POST /moon/{moon}"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A body that is no JSON is 500 where the description has that, as in the field; and two paths pass it over."""
    if _is_json(response.request.body):
        return True
    name, label = type(failure).__name__, case.operation.label
    if name == "AcceptedNegativeData":
        return label not in _DEAF
    documented = "500" in case.operation.definition.raw["responses"]
    return not (name == "ServerError" and response.status_code == 500 and documented and b'"error":500' in response.content)


@schemathesis.hook
def after_call(context, case, response):
    _counts[f"{case.operation.label} {response.status_code}"] += 1
    with open(os.environ["SCHEMA_COUNTS"], "w") as file:
        json.dump(_counts, file)
