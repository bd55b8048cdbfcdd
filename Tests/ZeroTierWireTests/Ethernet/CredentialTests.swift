// Credentials signed by a fixed controller: read, written, signed again, verified, damaged.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct CredentialVectors: Decodable {
    struct Party: Decodable { let address, secret, publicKeyHashSHA384: String }
    struct Signed: Decodable {
        let wire: String
        let signedBytes: String?
    }
    struct Agreement: Decodable {
        let member_vs_member2, member_vs_member2_too_new, member_vs_member2_wrong_identity, member_vs_self: Bool
    }
    let agreement: Agreement
    let controller, member, member2: Party
    let capability, capability_custody2, certificateOfOwnership, com_member, com_member2, com_member2_too_new,
        revocation, tag: Signed
    let networkId: String
    let timestamp, maxDelta: UInt64

    var network: NetworkID { get throws { try #require(NetworkID(text: networkId)) } }
    func identity(_ party: Party) throws -> Identity { try #require(Identity(text: party.secret)) }

    /// Knows the controller and both members.
    func directory() throws -> (Address) -> Identity? {
        let all = [try identity(controller), try identity(member), try identity(member2)]
        return { address in all.first { $0.address == address } }
    }
}

@Suite struct CredentialTests {
    let vectors: CredentialVectors
    let network: NetworkID
    let controller: Identity
    let member: Identity
    let member2: Identity
    let directory: (Address) -> Identity?

    init() throws {
        vectors = try loadVectors("credentials")
        network = try vectors.network
        controller = try vectors.identity(vectors.controller)
        member = try vectors.identity(vectors.member)
        member2 = try vectors.identity(vectors.member2)
        directory = try vectors.directory()
    }

    private func read<Value>(_ wire: String, _ make: (inout WireReader) throws -> Value) throws -> Value {
        var reader = WireReader(try hex(wire))
        let value = try make(&reader)
        #expect(reader.isAtEnd)
        return value
    }

    @Test func `a membership is read, made and signed like the reference's`() throws {
        let held = try read(vectors.com_member.wire) { try Membership(from: &$0) }
        #expect(held.encoded == (try hex(vectors.com_member.wire)))
        #expect(held.encoded.count == 272)
        #expect(held.signedBytes == (try hex(try #require(vectors.com_member.signedBytes))))
        #expect(held.issuedTo == member.address)
        #expect(held.network == network)
        #expect(held.timestamp == vectors.timestamp)
        #expect(held.verdict(directory) == .valid)
        #expect(held.verdict { _ in nil } == .needsIdentity(controller.address))
        let made = Membership(
            network: network, issuedTo: member, timestamp: vectors.timestamp, window: vectors.maxDelta,
            signedBy: controller)
        #expect(made == held)
        let forged = Membership(
            network: network, issuedTo: member2, timestamp: vectors.timestamp, window: .max, signedBy: member2)
        #expect(forged.verdict(directory) == .invalid)
    }

    @Test func `agreement of memberships is the reference's`() throws {
        let mine = try Membership(decoding: try hex(vectors.com_member.wire))
        let theirs = try Membership(decoding: try hex(vectors.com_member2.wire))
        let late = try Membership(decoding: try hex(vectors.com_member2_too_new.wire))
        let words = Membership.fingerprintWords(member2.fingerprint)
        let own = Membership.fingerprintWords(member.fingerprint)
        #expect(mine.agrees(with: theirs, fingerprintWords: words) == vectors.agreement.member_vs_member2)
        #expect(mine.agrees(with: late, fingerprintWords: words) == vectors.agreement.member_vs_member2_too_new)
        #expect(mine.agrees(with: theirs, fingerprintWords: own) == vectors.agreement.member_vs_member2_wrong_identity)
        #expect(mine.agrees(with: mine, fingerprintWords: own) == vectors.agreement.member_vs_self)
        #expect(!mine.agrees(with: theirs, fingerprintWords: []))
    }

    @Test func `agreement counts unsigned distances and only the own deltas`() {
        func membership(_ timestamp: UInt64, _ window: UInt64) -> Membership {
            Membership(
                qualifiers: [.init(id: 0, value: timestamp, maximumDelta: window)], signer: Address(0), signature: [])
        }
        let words: [UInt64] = []
        #expect(membership(100, 10).agrees(with: membership(110, 0), fingerprintWords: words))
        #expect(!membership(100, 10).agrees(with: membership(111, 99), fingerprintWords: words))
        #expect(membership(110, 10).agrees(with: membership(100, 0), fingerprintWords: words))
        #expect(!membership(0, 1).agrees(with: membership(.max, 0), fingerprintWords: words))
        let empty = Membership(qualifiers: [], signer: Address(0), signature: [])
        #expect(!empty.agrees(with: membership(1, 1), fingerprintWords: words))
        #expect(!membership(1, 1).agrees(with: empty, fingerprintWords: words))
    }

    @Test func `a tag is read, made and signed like the reference's`() throws {
        let held = try read(vectors.tag.wire) { try ZeroTierWire.Tag(from: &$0) }
        #expect(held.encoded == (try hex(vectors.tag.wire)))
        #expect(held.encoded.count == 135)
        #expect(held.signedBytes == (try hex(try #require(vectors.tag.signedBytes))))
        #expect(held.id == 1000 && held.value == 0xdead_beef)
        #expect(held.verdict(directory) == .valid)
        let made = ZeroTierWire.Tag(
            network: network, timestamp: vectors.timestamp, id: 1000, value: 0xdead_beef, issuedTo: member.address,
            signedBy: controller)
        #expect(made == held)
    }

    @Test func `a capability is read, made and signed like the reference's`() throws {
        let held = try read(vectors.capability.wire) { try Capability(from: &$0) }
        #expect(held.encoded == (try hex(vectors.capability.wire)))
        #expect(held.signedBytes == (try hex(try #require(vectors.capability.signedBytes))))
        #expect(held.issuedTo == member.address)
        #expect(held.verdict(directory) == .valid)
        let made = Capability(
            network: network, timestamp: vectors.timestamp, id: 77, rules: [Rule(.etherType(0x0800)), Rule(.accept)],
            issuedTo: member.address, signedBy: controller)
        #expect(made == held)
    }

    @Test func `a capability that was handed on is verified along its chain`() throws {
        let held = try read(vectors.capability_custody2.wire) { try Capability(from: &$0) }
        #expect(held.encoded == (try hex(vectors.capability_custody2.wire)))
        #expect(held.issuedTo == member2.address)
        #expect(held.verdict(directory) == .valid)
        #expect(held.verdict { $0 == controller.address ? controller : nil } == .needsIdentity(member.address))
        var made = Capability(
            network: network, timestamp: vectors.timestamp, id: 78, rules: held.rules, issuedTo: member.address,
            maximumCustody: 2, signedBy: controller)
        made.hand(to: member2.address, signedBy: member)
        #expect(made == held)
        var broken = held
        broken.custody[1].from = controller.address
        #expect(broken.verdict(directory) == .invalid)
        broken.custody = []
        #expect(broken.verdict(directory) == .invalid)
        broken = made
        broken.hand(to: member.address, signedBy: member2)
        #expect(broken.verdict(directory) == .invalid)
    }

    @Test func `a certificate of ownership is read, made and signed like the reference's`() throws {
        let held = try read(vectors.certificateOfOwnership.wire) { try Ownership(from: &$0) }
        #expect(held.encoded == (try hex(vectors.certificateOfOwnership.wire)))
        #expect(held.signedBytes == (try hex(try #require(vectors.certificateOfOwnership.signedBytes))))
        #expect(held.verdict(directory) == .valid)
        #expect(held.owns(try #require(IPAddress("10.147.17.5"))))
        #expect(held.owns(MACAddress(0x0a0b_0c0d_0e0f)))
        #expect(held.owns(network.rfc4193Address(of: member.address)))
        #expect(!held.owns(try #require(IPAddress("10.147.17.6"))))
        let made = Ownership(
            network: network, timestamp: vectors.timestamp, id: 1, things: held.things, issuedTo: member.address,
            signedBy: controller)
        #expect(made == held)
    }

    @Test func `a revocation is read, made and signed like the reference's`() throws {
        let held = try read(vectors.revocation.wire) { try Revocation(from: &$0) }
        #expect(held.encoded == (try hex(vectors.revocation.wire)))
        #expect(held.encoded.count == 152)
        #expect(held.signedBytes == (try hex(try #require(vectors.revocation.signedBytes))))
        #expect(held.verdict(directory) == .valid)
        #expect(held.isFastPropagated)
        #expect(held.target == member.address)
        let made = Revocation(
            id: held.id, network: network, of: .membership, credentialID: 0, threshold: held.threshold,
            target: member.address, signedBy: controller)
        #expect(made == held)
    }

    @Test func `a credential that is damaged anywhere in what is signed proves nothing`() throws {
        // Every bit of every credential. Returns those that change nothing in the verdict.
        func harmless<Value>(
            _ wire: String, _ decode: (inout WireReader) throws -> Value, _ verdict: (Value) -> CredentialVerdict
        ) throws -> [Int] {
            let bytes = try hex(wire)
            return Damage.bits(of: bytes.count).filter { bit in
                var reader = WireReader(Damage.flip(bit, of: bytes))
                guard let value = try? decode(&reader) else { return false }
                return verdict(value) == .valid
            }
        }
        func bits(_ bytes: Range<Int>) -> [Int] { Array(bytes.lowerBound * 8..<bytes.upperBound * 8) }
        #expect(try harmless(vectors.tag.wire, { try ZeroTierWire.Tag(from: &$0) }, { $0.verdict(directory) }) == [])
        for com in [vectors.com_member, vectors.com_member2, vectors.com_member2_too_new] {
            #expect(try harmless(com.wire, { try Membership(from: &$0) }, { $0.verdict(directory) }) == [])
        }
        let ownership = vectors.certificateOfOwnership.wire
        #expect(try harmless(ownership, { try Ownership(from: &$0) }, { $0.verdict(directory) }) == [])
        // Two numbers of a revocation are reserved: nobody reads them, and 0 is signed in their place.
        let revocation = vectors.revocation.wire
        let reserved = bits(0..<4) + bits(16..<20)
        #expect(try harmless(revocation, { try Revocation(from: &$0) }, { $0.verdict(directory) }) == reserved)
        // What the custodians of a capability sign does not say to whom they gave it: in this protocol no signature covers
        // the last holder's address.
        for (wire, holder) in [(vectors.capability.wire, 29), (vectors.capability_custody2.wire, 25 + 113)] {
            let kept = try harmless(wire, { try Capability(from: &$0) }, { $0.verdict(directory) })
            #expect(kept == bits(holder..<holder + 5))
        }
    }

    @Test func `damaged credentials are refused or read the same again`() throws {
        func check<Value: Equatable>(
            _ wire: String, _ fidelity: Fidelity, _ make: (inout WireReader) throws -> Value,
            _ encode: (Value) -> [UInt8]
        ) throws {
            let decode: ([UInt8]) throws -> Value = {
                var reader = WireReader($0)
                return try make(&reader)
            }
            #expect(try survivesDamage(try hex(wire), fidelity, decode: decode, encode: encode) > 0)
        }
        for com in [vectors.com_member, vectors.com_member2, vectors.com_member2_too_new] {
            try check(com.wire, .beginning, { try Membership(from: &$0) }, { $0.encoded })
        }
        try check(vectors.tag.wire, .value, { try ZeroTierWire.Tag(from: &$0) }, { $0.encoded })
        try check(vectors.capability.wire, .value, { try Capability(from: &$0) }, { $0.encoded })
        try check(vectors.capability_custody2.wire, .value, { try Capability(from: &$0) }, { $0.encoded })
        try check(vectors.certificateOfOwnership.wire, .value, { try Ownership(from: &$0) }, { $0.encoded })
        try check(vectors.revocation.wire, .value, { try Revocation(from: &$0) }, { $0.encoded })
    }

    @Test func `counts beyond the limits are refused`() throws {
        var many = try Membership(decoding: try hex(vectors.com_member.wire))
        many.qualifiers.append(contentsOf: (7...8).map { .init(id: $0, value: 0, maximumDelta: 0) })
        #expect(throws: WireError.self) { try Membership(decoding: many.encoded) }
        many.qualifiers.removeLast()
        #expect(try Membership(decoding: many.encoded) == many)
        many.qualifiers.swapAt(0, 1)
        #expect(throws: WireError.self) { try Membership(decoding: many.encoded) }
        func capability(_ rules: Int, custody: UInt8) -> [UInt8] {
            Capability(
                network: network, timestamp: 1, id: 1, rules: Array(repeating: Rule(.drop), count: rules),
                issuedTo: member.address, maximumCustody: custody, signedBy: controller
            ).encoded
        }
        func decodes(_ bytes: [UInt8]) -> Bool {
            var reader = WireReader(bytes)
            return (try? Capability(from: &reader)) != nil
        }
        #expect(decodes(capability(64, custody: 1)))
        #expect(!decodes(capability(65, custody: 1)))
        #expect(!decodes(capability(1, custody: 0)))
        #expect(!decodes(capability(1, custody: 8)))
        let things = (0..<17).map { Ownership.Thing.ip(IPAddress(v4: $0)) }
        let ownership = Ownership(
            network: network, timestamp: 1, id: 1, things: things, issuedTo: member.address, signedBy: controller)
        var reader = WireReader(ownership.encoded)
        #expect(throws: WireError.self) { try Ownership(from: &reader) }
    }

    @Test func `signatures of other types are passed over and prove nothing, extensions are passed over`() throws {
        var bytes = try hex(vectors.tag.wire)
        bytes.removeLast(2)
        bytes += [0, 3, 1, 2, 3]
        var reader = WireReader(bytes)
        #expect(try ZeroTierWire.Tag(from: &reader).verdict(directory) == .valid)
        #expect(reader.isAtEnd)
        bytes[34] = 2
        reader = WireReader(bytes)
        let unsigned = try ZeroTierWire.Tag(from: &reader)
        #expect(unsigned.signature.isEmpty && unsigned.verdict(directory) == .invalid)
        bytes[34] = 1
        bytes[36] = 95
        reader = WireReader(bytes)
        #expect(throws: WireError.self) { try ZeroTierWire.Tag(from: &reader) }
    }
}
