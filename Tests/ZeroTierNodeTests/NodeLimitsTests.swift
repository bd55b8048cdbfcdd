import NetPrimitives
import Testing

@testable import ZeroTierNode

@Suite struct NodeLimitsTests {
    @Test(arguments: [
        ("0.0.0.1/0", false), ("128.0.0.1/1", false), ("12.0.0.1/7", false), ("10.0.0.1/8", true),
        ("192.168.1.1/24", true), ("2000::1/3", false), ("fc00::1/7", false), ("fcf6:7::1/40", true),
    ])
    func `no prefix that holds much of the Internet keeps paths out of it`(text: String, may: Bool) throws {
        #expect(NodeLimits.mayForbidPaths(try #require(IPPrefix(text))) == may)
    }
}
