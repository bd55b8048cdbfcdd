"""Our node as the cases use it: Node/ (`interop-node`) answers the same lines as the real node's host program."""

import os

import lab
import real


def make(tool):
    """The class to be used for our nodes, with the path of interop-node."""
    path = os.path.abspath(tool)

    class OurNode(real.RealNode):
        PROGRAM = path
        LABEL = "ours"

        def suites(self):
            """Authentic packets that came, by cipher suite, as the node counts them."""
            answer = self.call("stats")
            return {suite: int(answer["suite%d" % suite]) for suite in (0, 1, 3)}

        def counters(self):
            """All that the node counted, for people."""
            try:
                return self.call("stats", limit=5)
            except lab.Failure as error:
                return str(error)

    return OurNode
