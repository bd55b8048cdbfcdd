import NetPrimitives
import Testing
import ZeroTierNode
import ZeroTierWire

@testable import ZeroTier

/// What a node says while it is not online, in virtual time.
extension DriverTests {
    @Suite struct ComplaintTests {
        private func at(_ seconds: Int) -> Now {
            Now(
                monotonic: MonotonicInstant(nanoseconds: 1_000_000_000) + .seconds(seconds),
                unixMilliseconds: 1_790_000_000_000 + Int64(seconds) * 1000)
        }

        // A core whose root never answers: nothing is sent, since nobody pumps.
        private func core() throws -> DriverCore {
            let identity = try #require(wireIdentity(TestIdentity.first))
            let planet = try World(decoding: Constellation.makePlanet(port: 1).bytes)
            let node = ZeroTierNode.Node(
                identity: identity, configuration: NodeConfiguration(planet: planet), random: RandomSource(seed: 1),
                now: at(0))
            let port = try UDPPort(addresses: [IPAddress(v4: 0x7f00_0001)], port: 0, mode: .plain)
            var core = DriverCore(node: node, port: port, poller: try Poller(), timer: try WakeTimer(), seed: 1)
            core.localEndpoints = [SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: 2)]
            return core
        }

        // The seconds at which the owner is warned that no root answers.
        private func warnings(_ core: inout DriverCore, _ seconds: ClosedRange<Int>) -> [Int] {
            seconds.filter { second in
                core.handleDeadlines(now: at(second))
                return core.takeOutbox().contains { event in
                    guard case .warning(let error) = event, error.code == .noRootAnswered else { return false }
                    return error.message.contains("127.0.0.1:1")
                }
            }
        }

        @Test
        func `a node that never comes online says whom it asks, why not after five seconds, and again every minute`()
            throws
        {
            var core = try core()
            core.expectOnline(now: at(0))
            #expect(core.takeOutbox() == [.rootsAsked([SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: 1)])])
            #expect(warnings(&core, 0...250) == [5, 65, 125, 185, 245])
        }

        @Test func `nothing is said while it is online, and at once and every minute when it no longer is`() throws {
            var core = try core()
            core.expectOnline(now: at(0))
            core.take(.online, at(3))
            #expect(warnings(&core, 3...200).isEmpty)
            core.take(.offline, at(201))
            #expect(warnings(&core, 201...330) == [201, 261, 321])
        }
    }
}
