import CZeroTier
import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

@testable import ZeroTierC

/// Numbers of the host that programs of the first generation use.
@Suite struct FlagTests {
    @Test func `flags are lwIP's, and the host's as soon as one is among them that lwIP does not have`() {
        #expect(SocketCalls.flags(0x01) == .peek)
        #expect(SocketCalls.flags(0x02) == .waitAll)
        #expect(SocketCalls.flags(0x08 | 0x10) == [.dontWait, .more])
        #expect(SocketCalls.flags(Int32(MSG_WAITALL)) == .waitAll)
        #expect(SocketCalls.flags(Int32(MSG_TRUNC)) == .wholeLength)
        #expect(SocketCalls.flags(Int32(MSG_DONTWAIT)) == .dontWait)
        #expect(SocketCalls.flags(Int32(MSG_MORE)) == .more)
        #expect(SocketCalls.flags(Int32(MSG_PEEK | MSG_DONTWAIT)) == [.peek, .dontWait])
        #expect(SocketCalls.flags(Int32(MSG_PEEK | MSG_TRUNC)) == [.peek, .wholeLength])
        #expect(SocketCalls.flags(Int32(MSG_NOSIGNAL)) == .noSignal)
        #expect(SocketCalls.flags(ZTS_MSG_WAITFORONE | 0x01) == [.waitForOne, .peek])
    }

    @Test(arguments: ["localhost", "LocalHost.", "printer.localhost"])
    func `the names of this host are asked of nobody`(name: String) throws {
        // There is no name server, and no node.
        #expect(try Resolver.addresses(of: name) == [IPAddress("127.0.0.1")!])
    }

    @Test func `the host's and lwIP's numbers of IP_MULTICAST_IF are one option`() {
        #expect(OptionName(level: 0, number: 6) == .option(.multicastInterface))
        #expect(OptionName(level: 0, number: 32) == .option(.multicastInterface))
    }
}
