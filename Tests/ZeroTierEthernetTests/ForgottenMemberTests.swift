// What is forgotten of members, and what must not come back with it.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct ForgottenMemberTests {
    let lan = Lan()
    let controller: Identity
    let a: Station
    let b: Station
    let network: NetworkID
    let slotA: SlotID

    init() throws {
        controller = lan.makeIdentity(0x66_0000_0001)
        a = lan.add(0x43_7a18_af52)
        b = lan.add(0x89_2dab_4ee8)
        network = NetworkID(controller: controller.address, number: 0xbeef)
        slotA = try #require(a.join(network, now: lan.now))
        _ = try #require(b.join(network, now: lan.now))
        lan.settle()
    }

    private func credentials(_ change: (inout NetworkCredentials) -> Void) -> [UInt8] {
        var credentials = NetworkCredentials()
        change(&credentials)
        return credentials.encoded
    }

    @Test func `a revocation that was forgotten with its target is not passed on once more`() throws {
        let small = lan.add(0x55_0000_0001) { $0.membersPerNetwork = 2 }
        _ = try #require(small.join(network, now: lan.now))
        lan.settle()
        lan.push(lan.config(network, for: small.identity, by: controller), by: controller)
        let words = (0..<3 as Range<UInt64>).map { number in
            credentials {
                $0.revocations = [
                    Revocation(
                        id: 1, network: network, of: .membership, credentialID: 0,
                        threshold: UInt64(lan.now.unixMilliseconds), target: Address(0x70 + number),
                        signedBy: controller)
                ]
            }
        }
        func say(_ word: [UInt8]) -> Int {
            lan.log = []
            lan.deliver(Crossing(from: controller.address, to: small.address, verb: .networkCredentials, payload: word))
            lan.settle()
            lan.advance(.seconds(2))
            return lan.crossings(.networkCredentials, from: small.address).filter { $0.payload == word }.count
        }
        for word in words { #expect(say(word) > 0) }
        // The table is full: the first one is news again.
        #expect(say(words[0]) == 0)
    }

    @Test func `what was known of the holder of another key does not hold for the new one`() throws {
        let rules = [Rule(.tagsEqual(id: 7, value: 1)), Rule(.accept), Rule(.drop)]
        func tag(_ member: Station) -> ZeroTierWire.Tag {
            ZeroTierWire.Tag(
                network: network, timestamp: UInt64(lan.now.unixMilliseconds), id: 7, value: 1,
                issuedTo: member.address, signedBy: controller)
        }
        for member in [a, b] {
            lan.push(
                lan.config(network, for: member.identity, by: controller) {
                    $0.rules = rules
                    $0.tags = [tag(member)]
                }, by: controller)
        }
        let refused = a.sendFrame(
            network: slotA, source: network.mac(of: a.address), destination: network.mac(of: b.address),
            etherType: 0x88b5, payload: [1], now: lan.now)
        #expect(refused == nil)
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1]])
        // The transport found that the address is another one's, who is a member without the tag.
        let keys = lan.makeIdentity(0x66_0000_0077)
        let other = Identity(address: a.address, publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
        b.learn(other.withoutSecret, now: lan.now)
        lan.advance(.seconds(2))
        let config = lan.config(network, for: other, by: controller)
        let shown = credentials { $0.memberships = [config.membership].compactMap { $0 } }
        lan.deliver(Crossing(from: a.address, to: b.address, verb: .networkCredentials, payload: shown))
        let frame = Frame(network: network, etherType: 0x88b5, data: [2])
        let before = b.drops(.ruleInbound)
        lan.deliver(Crossing(from: a.address, to: b.address, verb: .frame, payload: frame.encoded))
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1]])
        #expect(b.drops(.ruleInbound) == before + 1, "it is a member, and has no tag")
    }
}
