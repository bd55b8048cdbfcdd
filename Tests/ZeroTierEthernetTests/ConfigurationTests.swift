// Networks with a controller: asking, pieces, signatures, refusals.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct ConfigurationTests {
    let lan = Lan()
    let controller: Identity
    let a: Station
    let network: NetworkID

    init() {
        controller = lan.makeIdentity(0x66_0000_0001)
        a = lan.add(0x43_7a18_af52)
        network = NetworkID(controller: controller.address, number: 0xbeef)
    }

    private func join(saved: [UInt8]? = nil, authorization: String = "") throws -> SlotID {
        let slot = try #require(
            a.join(network, savedConfiguration: saved, authorization: authorization, now: lan.now))
        lan.settle()
        return slot
    }

    private func status(_ slot: SlotID) -> NetworkStatus? { a.snapshot(of: slot)?.status }

    private func receive(_ chunk: NetworkConfigChunk, from source: Address? = nil) -> Reception {
        a.receive(
            .networkConfig, chunk.encoded, from: source ?? controller.address, packetID: PacketID(9), now: lan.now)
    }

    private func refuse(_ reason: ErrorReply.Reason, from source: Address? = nil, verb: Verb = .networkConfigRequest) {
        let error = ErrorReply(inReplyTo: verb, packetID: PacketID(1), reason: reason)
        _ = a.receiveError(error, from: source ?? controller.address, now: lan.now)
        lan.settle()
    }

    @Test func `a member asks at once, every five seconds, and then every minute`() throws {
        let slot = try join(authorization: "token:abc")
        #expect(status(slot) == .requestingConfiguration)
        let first = try #require(lan.crossings(.networkConfigRequest, to: controller.address).first)
        let request = try NetworkConfigRequest(decoding: first.payload)
        #expect(request.network == network && request.revision == 0 && request.timestamp == 0)
        #expect(RequestMetadata(WireDictionary(decoding: request.metadata)).authorization == "token:abc")
        #expect(a.events.contains(.storeConfiguration(id: network, [0x0a])))
        lan.advance(.milliseconds(4999))
        #expect(lan.crossings(.networkConfigRequest).count == 1)
        lan.advance(.milliseconds(1))
        #expect(lan.crossings(.networkConfigRequest).count == 2)
        let config = lan.config(network, for: a.identity, by: controller) { $0.revision = 4 }
        lan.push(config, by: controller)
        #expect(status(slot) == .ok)
        lan.advance(.milliseconds(59_999))
        #expect(lan.crossings(.networkConfigRequest).count == 2)
        lan.advance(.seconds(5))
        let again = try #require(lan.crossings(.networkConfigRequest).dropFirst(2).first)
        let second = try NetworkConfigRequest(decoding: again.payload)
        #expect(second.revision == 4 && second.timestamp == config.timestamp)
    }

    @Test func `a refusal of what was asked before the configuration came is not believed, and asked about`() throws {
        let slot = try join()
        let asked = lan.now.monotonic
        lan.advance(.seconds(1))
        lan.push(lan.config(network, for: a.identity, by: controller), by: controller)
        lan.advance(.seconds(1))
        let before = lan.crossings(.networkConfigRequest).count
        let error = ErrorReply(
            inReplyTo: .networkConfigRequest, packetID: PacketID(1), reason: .networkAccessDenied(network))
        _ = a.receiveError(error, from: controller.address, askedAt: asked, now: lan.now)
        lan.settle()
        #expect(status(slot) == .ok && lan.crossings(.networkConfigRequest).count == before + 1)
        // The answer to that question is believed, and who is refused asks every five seconds.
        _ = a.receiveError(error, from: controller.address, askedAt: lan.now.monotonic + .milliseconds(1), now: lan.now)
        #expect(status(slot) == .accessDenied)
        lan.advance(.seconds(15))
        #expect(lan.crossings(.networkConfigRequest).count == before + 4)
    }

    @Test func `a configuration is announced, kept and acknowledged`() throws {
        let slot = try join()
        let config = lan.config(network, for: a.identity, by: controller) {
            $0.name = "lab"
            $0.mtu = 1400
            $0.addresses = [IPPrefix(IPAddress(v4: 0x0a00_0001), length: 24)]
        }
        lan.push(config, by: controller)
        #expect(a.events.contains(.configurationChanged(network: slot, id: network)))
        #expect(a.events.contains(.storeConfiguration(id: network, config.encoded)))
        #expect(a.events.contains(.statusChanged(network: slot, id: network, .ok)))
        let snapshot = try #require(a.snapshot(of: slot))
        #expect(snapshot.name == "lab" && snapshot.mtu == 1400 && snapshot.addresses == config.addresses)
        #expect(snapshot.isPrivate && snapshot.broadcastEnabled)
        let acknowledged = try #require(lan.crossings(.ok, to: controller.address).first)
        let (header, body) = try OKHeader.split(acknowledged.payload)
        #expect(header.inReplyTo == .echo && body.count == 16)
        // The same again, a second later: stored, but nothing to tell.
        a.events.removeAll()
        lan.push(
            lan.config(network, for: a.identity, by: controller, timestamp: config.timestamp + 1000) {
                $0.name = "lab"
                $0.mtu = 1400
                $0.addresses = config.addresses
            }, by: controller)
        #expect(a.events.map { if case .storeConfiguration = $0 { true } else { false } } == [true])
    }

    @Test func `pieces may come in any order, twice, and from anyone`() throws {
        let slot = try join()
        let config = lan.config(network, for: a.identity, by: controller) {
            $0.rules = Array(repeating: Rule(.characteristics(.max)), count: 1000) + [Rule(.accept)]
        }
        let chunks = NetworkConfigChunk.chunks(
            of: config.encoded, network: network, updateID: 5, signedBy: controller)
        #expect(chunks.count == 2)
        #expect(receive(chunks[1], from: Address(0x77)) == .done(trusted: false))
        #expect(receive(chunks[1]) == .drop(.duplicateChunk))
        #expect(a.configuration(of: slot) == nil)
        #expect(receive(chunks[0], from: Address(0x78)) == .done(trusted: false))
        #expect(a.configuration(of: slot) == config)
    }

    @Test func `a piece with a wrong signature, of another signer, or unsigned from others is refused`() throws {
        let slot = try join()
        let config = lan.config(network, for: a.identity, by: controller)
        var chunk = NetworkConfigChunk.chunks(of: config.encoded, network: network, updateID: 5, signedBy: controller)[
            0]
        chunk.data[3] ^= 1
        #expect(receive(chunk) == .drop(.badSignature))
        let forged = NetworkConfigChunk.chunks(of: config.encoded, network: network, updateID: 5, signedBy: a.identity)
        #expect(receive(forged[0]) == .drop(.badSignature))
        let unsigned = NetworkConfigChunk(network: network, unsigned: config.encoded)
        #expect(receive(unsigned, from: Address(0x77)) == .drop(.notFromController))
        #expect(a.configuration(of: slot) == nil)
        #expect(receive(unsigned) == .done(trusted: false))
        #expect(a.configuration(of: slot) == config)
        let other = NetworkConfigChunk(network: NetworkID(5), unsigned: config.encoded)
        #expect(receive(other) == .drop(.networkNotJoined))
    }

    @Test func `a configuration for someone else or another network is refused`() throws {
        let slot = try join()
        let stranger = lan.makeIdentity(0x77)
        for config in [
            lan.config(network, for: stranger, by: controller),
            lan.config(NetworkID(controller: controller.address, number: 1), for: a.identity, by: controller),
        ] {
            let chunk = NetworkConfigChunk.chunks(
                of: config.encoded, network: network, updateID: 5, signedBy: controller)[0]
            _ = receive(chunk)
        }
        #expect(a.drops(.badConfiguration) == 2)
        #expect(a.configuration(of: slot) == nil)
    }

    @Test func `a further piece of an update that is whole is refused`() throws {
        let slot = try join()
        let config = lan.config(network, for: a.identity, by: controller)
        func chunk(_ range: Range<Int>, flags: UInt8) throws -> NetworkConfigChunk {
            NetworkConfigChunk(
                network: network, data: Array(config.encoded[range]), flags: flags, updateID: 7,
                totalLength: UInt32(config.encoded.count), offset: UInt32(range.lowerBound), signedBy: controller)
        }
        let all = 0..<config.encoded.count
        #expect(try receive(chunk(all, flags: 0)) == .done(trusted: false))
        #expect(try receive(chunk(all, flags: 0)) == .drop(.duplicateChunk))
        #expect(try receive(chunk(all, flags: 2)) == .drop(.badConfiguration))
        #expect(try receive(chunk(10..<20, flags: 0)) == .drop(.badConfiguration))
        #expect(a.configuration(of: slot) == config)
    }

    @Test func `an old configuration pushed again is refused, one that we asked for is taken`() throws {
        let slot = try join()
        let time = UInt64(lan.now.unixMilliseconds)
        let old = lan.config(network, for: a.identity, by: controller, timestamp: time - 1_800_001)
        let recent = lan.config(network, for: a.identity, by: controller, timestamp: time - 1_800_000)
        lan.push(lan.config(network, for: a.identity, by: controller, timestamp: time), by: controller)
        lan.push(old, by: controller)
        #expect(a.drops(.outdatedConfiguration) == 1)
        #expect(a.configuration(of: slot)?.timestamp == time)
        lan.push(recent, by: controller)
        #expect(a.configuration(of: slot)?.timestamp == time - 1_800_000)
        lan.push(lan.config(network, for: a.identity, by: controller, timestamp: time), by: controller)
        let chunks = NetworkConfigChunk.chunks(of: old.encoded, network: network, updateID: 99, signedBy: controller)
        for chunk in chunks {
            _ = a.receiveReply(to: .networkConfigRequest, chunk.encoded, from: controller.address, now: lan.now)
        }
        #expect(a.configuration(of: slot) == old)
    }

    @Test func `only three updates are under assembly, the one unused longest gives way`() throws {
        let slot = try join()
        func chunks(_ updateID: UInt64) -> (config: NetworkConfig, chunks: [NetworkConfigChunk]) {
            let config = lan.config(network, for: a.identity, by: controller) {
                $0.revision = updateID
                $0.rules = Array(repeating: Rule(.characteristics(.max)), count: 1000) + [Rule(.accept)]
            }
            return (
                config,
                NetworkConfigChunk.chunks(
                    of: config.encoded, network: network, updateID: updateID, signedBy: controller)
            )
        }
        let updates = (1...4).map { chunks(UInt64($0)) }
        for update in updates { _ = receive(update.chunks[0]) }
        _ = receive(updates[0].chunks[1])
        #expect(a.configuration(of: slot) == nil)
        _ = receive(updates[3].chunks[1])
        #expect(a.configuration(of: slot) == updates[3].config)
    }

    @Test func `a piece waits for the controller's identity`() throws {
        a.answersIdentities = false
        let slot = try join()
        #expect(a.events.contains(.wantsIdentity(controller.address)))
        let config = lan.config(network, for: a.identity, by: controller)
        let chunk = NetworkConfigChunk.chunks(of: config.encoded, network: network, updateID: 5, signedBy: controller)[
            0]
        #expect(receive(chunk) == .parked)
        #expect(a.configuration(of: slot) == nil)
        a.learn(controller.withoutSecret, now: lan.now)
        #expect(a.configuration(of: slot) == config)
    }

    @Test func `the identity that the transport found false gives way to the true one, whose configuration is taken`()
        throws
    {
        a.answersIdentities = false
        let slot = try join()
        let keys = lan.makeIdentity(0x66_0000_0099)
        let imposter = Identity(
            address: controller.address, publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
        a.learn(imposter.withoutSecret, now: lan.now)
        let config = lan.config(network, for: a.identity, by: controller)
        let chunk = NetworkConfigChunk.chunks(of: config.encoded, network: network, updateID: 5, signedBy: controller)[
            0]
        #expect(receive(chunk) == .drop(.badSignature))
        a.learn(controller.withoutSecret, now: lan.now)
        #expect(receive(chunk) == .done(trusted: false))
        #expect(a.configuration(of: slot) == config)
    }

    @Test func `refusals of the controller alone are believed, and a configuration stays in force`() throws {
        let slot = try join()
        refuse(.networkAccessDenied(network), from: Address(0x77))
        #expect(status(slot) == .requestingConfiguration && a.drops(.notFromController) == 1)
        refuse(.networkAccessDenied(network))
        #expect(status(slot) == .accessDenied)
        refuse(.objectNotFound(network), verb: .frame)
        #expect(status(slot) == .accessDenied)
        refuse(.objectNotFound(network))
        #expect(status(slot) == .notFound)
        var info = WireDictionary()
        info.append("aV", integer: 1)
        info.append("iU", text: "https://issuer")
        refuse(.networkAuthenticationRequired(network, info: info.encoded))
        #expect(status(slot) == .authenticationRequired)
        #expect(a.snapshot(of: slot)?.singleSignOn?.issuerURL == "https://issuer")
        let config = lan.config(network, for: a.identity, by: controller)
        lan.push(config, by: controller)
        #expect(status(slot) == .ok)
        refuse(.networkAccessDenied(network))
        #expect(status(slot) == .accessDenied && a.configuration(of: slot) == config)
        // Refused, it goes on asking.
        let before = lan.crossings(.networkConfigRequest).count
        lan.advance(.seconds(70))
        #expect(lan.crossings(.networkConfigRequest).count >= before + 2)
    }

    @Test func `a saved configuration is in force at once, and a newer one is asked for`() throws {
        let config = lan.config(network, for: a.identity, by: controller)
        let slot = try join(saved: config.encoded)
        #expect(status(slot) == .ok && a.configuration(of: slot) == config)
        #expect(lan.crossings(.networkConfigRequest).count == 1)
        #expect(!a.events.contains(.storeConfiguration(id: network, [0x0a])))
        a.leave(network)
        lan.settle()
        #expect(a.events.last == .deleteConfiguration(id: network))
        #expect(try status(join(saved: [0x0a])) == .requestingConfiguration)
        a.leave(network)
        #expect(try status(join(saved: Array("v=7\nrubbish".utf8))) == .requestingConfiguration)
    }

    @Test func `a piece to be passed on goes to all members but its sender and the controller`() throws {
        let slot = try join()
        lan.push(lan.config(network, for: a.identity, by: controller) { $0.isPublic = true }, by: controller)
        for address in [0x21, 0x22, 0x23] as [UInt64] {
            let frame = Frame(network: network, etherType: 0x88b5, data: [1])
            lan.deliver(Crossing(from: Address(address), to: a.address, verb: .frame, payload: frame.encoded))
        }
        #expect(a.members(of: slot).count == 3)
        let config = lan.config(
            network, for: a.identity, by: controller, timestamp: UInt64(lan.now.unixMilliseconds) + 5000
        ) { $0.isPublic = true }
        let chunks = fastPieces(of: config, updateID: 8)
        for chunk in chunks { _ = receive(chunk, from: Address(0x22)) }
        lan.settle()
        let passed = lan.crossings(.networkConfig, from: a.address)
        #expect(passed.map(\.to) == chunks.flatMap { _ in [Address(0x21), Address(0x23)] })
        #expect(Set(passed.map(\.payload)) == Set(chunks.map(\.encoded)))
        // The same again is no news, nor is what is older, nor anything from a stranger to a private network.
        for chunk in chunks { _ = receive(chunk, from: Address(0x23)) }
        let old = lan.config(network, for: a.identity, by: controller, timestamp: 7) { $0.isPublic = true }
        for chunk in fastPieces(of: old, updateID: 9) { _ = receive(chunk, from: Address(0x23)) }
        lan.settle()
        #expect(lan.crossings(.networkConfig, from: a.address).count == passed.count)
    }

    private func fastPieces(of config: NetworkConfig, updateID: UInt64) -> [NetworkConfigChunk] {
        NetworkConfigChunk.chunks(
            of: config.encoded, network: network, updateID: updateID, flags: NetworkConfigChunk.fastPropagateFlag,
            signedBy: controller)
    }

    @Test func `old pieces that a stranger sends into four members do not circulate`() throws {
        let members = try (0..<4).map { number in
            let station = lan.add(0x50 + UInt64(number))
            _ = try #require(station.join(network, now: lan.now))
            return station
        }
        lan.settle()
        for member in members {
            lan.push(lan.config(network, for: member.identity, by: controller), by: controller)
        }
        // All know each other.
        for member in members {
            for other in members where other !== member {
                var credentials = NetworkCredentials()
                credentials.memberships = [
                    try #require(lan.config(network, for: other.identity, by: controller).membership)
                ]
                _ = member.receive(
                    .networkCredentials, credentials.encoded, from: other.address, packetID: PacketID(1), now: lan.now)
            }
        }
        lan.settle()
        lan.log = []
        var pieces: [NetworkConfigChunk] = []
        for (index, member) in members.enumerated() {
            let old = lan.config(network, for: member.identity, by: controller, timestamp: 1000 + UInt64(index)) {
                $0.name = String(repeating: "x", count: 100)
            }
            pieces += fastPieces(of: old, updateID: 100 + UInt64(index))
        }
        for member in members {
            for piece in pieces {
                lan.deliver(
                    Crossing(
                        from: Address(0x99), to: member.address, verb: .networkConfig, payload: piece.encoded))
            }
        }
        lan.advance(.seconds(3))
        #expect(lan.crossings(.networkConfig).isEmpty)
        // What is news, from the controller itself, goes round once and stops, many pieces or few.
        let news = lan.config(
            network, for: members[0].identity, by: controller, timestamp: UInt64(lan.now.unixMilliseconds) + 9000)
        let fresh = fastPieces(of: news, updateID: 500)
        for piece in fresh {
            lan.deliver(
                Crossing(
                    from: controller.address, to: members[0].address, verb: .networkConfig, payload: piece.encoded))
        }
        lan.advance(.seconds(3))
        let crossed = lan.crossings(.networkConfig).filter { $0.from != controller.address }
        #expect(!crossed.isEmpty && crossed.count <= fresh.count * 4 * 3)
    }

    @Test func `news that a stranger sends is taken, and passed on to nobody`() throws {
        let slot = try join()
        lan.push(lan.config(network, for: a.identity, by: controller) { $0.isPublic = true }, by: controller)
        for address in [0x21, 0x22] as [UInt64] {
            let frame = Frame(network: network, etherType: 0x88b5, data: [1])
            lan.deliver(Crossing(from: Address(address), to: a.address, verb: .frame, payload: frame.encoded))
        }
        lan.log = []
        for (number, sender) in [0x99, 0x22].enumerated() {
            let config = lan.config(
                network, for: a.identity, by: controller,
                timestamp: UInt64(lan.now.unixMilliseconds) + UInt64(number + 1) * 5000
            ) {
                $0.isPublic = true
                $0.revision = UInt64(number + 1)
            }
            for piece in fastPieces(of: config, updateID: 50 + UInt64(number)) {
                _ = receive(piece, from: Address(UInt64(sender)))
            }
            lan.settle()
            #expect(a.snapshot(of: slot)?.revision == UInt64(number + 1))
            // A member's are.
            #expect(lan.crossings(.networkConfig, from: a.address).isEmpty == (sender == 0x99))
        }
    }

    @Test func `of a member's many updates few are passed on, and all are taken`() throws {
        let slot = try join()
        lan.push(lan.config(network, for: a.identity, by: controller) { $0.isPublic = true }, by: controller)
        for address in [0x21, 0x22] as [UInt64] {
            let frame = Frame(network: network, etherType: 0x88b5, data: [1])
            lan.deliver(Crossing(from: Address(address), to: a.address, verb: .frame, payload: frame.encoded))
        }
        lan.log = []
        let updates = 101
        for number in 1...updates {
            let config = lan.config(
                network, for: a.identity, by: controller,
                timestamp: UInt64(lan.now.unixMilliseconds) + UInt64(number) * 1000
            ) {
                $0.isPublic = true
                $0.revision = UInt64(number)
            }
            for piece in fastPieces(of: config, updateID: UInt64(number) << 8) {
                _ = receive(piece, from: Address(0x22))
            }
        }
        lan.settle()
        #expect(a.snapshot(of: slot)?.revision == UInt64(updates))
        let passed = Set(lan.crossings(.networkConfig, from: a.address).map(\.payload))
        let perUpdate = fastPieces(of: lan.config(network, for: a.identity, by: controller), updateID: 1).count
        #expect(passed.count == EthernetLimits.passedUpdates * perUpdate)
        #expect(a.drops(.passedOnTooOften) == UInt64(updates - EthernetLimits.passedUpdates))
    }

    @Test func `updates that are passed on have a budget, and pieces are remembered within a bound`() {
        var passed = PassedPieces()
        let now = lan.now.monotonic
        let allowed = (0..<100).filter { _ in passed.allow(now) }.count
        #expect(allowed == EthernetLimits.passedUpdates)
        func note(_ number: UInt64) -> Bool { passed.note(number, now) }
        for number in 0..<UInt64(EthernetLimits.passedPieces + 10) { #expect(note(number)) }
        #expect(passed.count == EthernetLimits.passedPieces)
        #expect(!note(4000) && note(3))
        passed.expire(now + EthernetLimits.passedPieceLife + .milliseconds(1))
        #expect(passed.count == 0)
    }

    @Test func `a node without a controller says so`() throws {
        let request = NetworkConfigRequest(network: NetworkID(controller: a.address, number: 1), metadata: [])
        _ = a.receive(
            .networkConfigRequest, request.encoded, from: Address(0x21), packetID: PacketID(3), now: lan.now)
        lan.settle()
        let answer = try ErrorReply(decoding: try #require(lan.crossings(.error).first).payload)
        #expect(answer.reason == .unsupportedOperation(request.network))
        #expect(answer.header.packetID == PacketID(3))
        // And joining one's own network without a controller finds nothing.
        let slot = try #require(a.join(request.network, now: lan.now))
        #expect(status(slot) == .notFound)
    }

    @Test func `a network of the own controller is configured without packets`() throws {
        let own = lan.add(0x66_0000_0009) { $0.hasController = true }
        let id = NetworkID(controller: own.address, number: 1)
        let slot = try #require(own.join(id, now: lan.now))
        lan.settle()
        let asked = own.events.contains {
            if case .localConfigurationRequest(slot, id, let metadata) = $0 { !metadata.isEmpty } else { false }
        }
        #expect(asked && lan.crossings(.networkConfigRequest).isEmpty)
        own.receiveLocalFailure(id, .accessDenied)
        #expect(own.snapshot(of: slot)?.status == .accessDenied)
        own.receiveLocalConfiguration(lan.config(id, for: own.identity, by: own.identity), now: lan.now)
        #expect(own.snapshot(of: slot)?.status == .ok)
    }

    @Test func `too many networks are refused`() {
        for number in 0..<EthernetLimits.networks {
            #expect(a.join(NetworkID(0xff00_0000_0000_0000 | UInt64(number) << 24), now: lan.now) != nil)
        }
        #expect(a.join(network, now: lan.now) == nil)
    }

    @Test func `a port error wins over every other status`() throws {
        let slot = try join()
        a.setPortError(true, network: slot)
        #expect(status(slot) == .portError)
        a.setPortError(false, network: slot)
        #expect(status(slot) == .requestingConfiguration)
    }
}
