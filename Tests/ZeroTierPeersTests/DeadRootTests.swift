//  A planet of two roots of which one is not there.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct DeadRootTests {
    @Test(arguments: 1...12)
    func `a first frame gets to a node behind the other root within two seconds`(_ seed: UInt64) {
        let hub = Hub(seed: seed)
        let place = Fixture.endpoint(0, 1)
        let planet = Fixture.planet([
            (Fixture.identities[0], [place]), (Fixture.identities[9], [Fixture.endpoint(0, 9)]),
        ])
        hub.add(Fixture.identities[0], [place], PeerConfiguration(planet: planet))
        let nodes = (1...2).map {
            hub.add(Fixture.identities[$0], [Fixture.endpoint($0, 1)], PeerConfiguration(planet: planet))
        }
        #expect(hub.run(until: { nodes.allSatisfy(\.isOnline) }, within: .seconds(1)))
        hub.sendFrame(nodes[0], to: nodes[1].address)
        #expect(hub.run(until: { !nodes[1].received.isEmpty }, within: .seconds(2)))
    }
}
