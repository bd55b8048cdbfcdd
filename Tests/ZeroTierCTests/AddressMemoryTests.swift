import CZeroTier
import Foundation
import NetPrimitives
import Testing
import ZeroTierSockets

@testable import ZeroTierC

/// Addresses of both layouts, and garbage.
@Suite struct AddressMemoryTests {
    private func read(_ bytes: [UInt8], _ length: UInt32) throws -> SocketEndpoint? {
        var memory = bytes + Array(repeating: 0xee, count: max(0, 128 - bytes.count))
        return try memory.withUnsafeMutableBytes { buffer in
            guard case .endpoint(let endpoint) = try AddressMemory.read(buffer.baseAddress!, length: length) else {
                return nil
            }
            return endpoint
        }
    }

    private let rest4: [UInt8] = [0x1f, 0x90, 10, 1, 2, 3]
    private var rest6: [UInt8] { [0x1f, 0x90, 0, 0, 0, 0, 0xfd] + Array(repeating: 0, count: 14) + [7] }

    @Test func `stack layout with any length byte and host layout mean the same`() throws {
        let four = SocketEndpoint("10.1.2.3:8080")!
        for length in [0, 16, 28, 2, 10, 0xee] as [UInt8] { #expect(try read([length, 2] + rest4, 16) == four) }
        #expect(try read([2, 0] + rest4, 16) == four)
        #expect(try read([2, 0] + rest4, 128) == four)
        let six = SocketEndpoint("[fd00::7]:8080")!
        for length in [0, 28, 0xee] as [UInt8] { #expect(try read([length, 10] + rest6, 28) == six) }
        #expect(try read([10, 0] + rest6, 28) == six)
        #expect(try read([10, 0] + rest6, 24) == six)
        #expect(try read([28, 30] + rest6, 28) == six)
    }

    @Test func `no family, unknown families and wrong lengths`() throws {
        #expect(try read([0, 0], 16) == nil)
        func refusal(_ bytes: [UInt8], _ length: UInt32) -> SocketError? {
            do {
                _ = try read(bytes, length)
                return nil
            } catch {
                return error as? SocketError
            }
        }
        #expect(refusal([0, 3] + rest4, 16)?.number == .familyNotSupported)
        #expect(refusal([7, 0] + rest4, 16)?.number == .familyNotSupported)
        #expect(refusal([0, 2] + rest4, 20)?.number == .invalid)
        #expect(refusal([0, 10] + rest6, 16)?.number == .invalid)
        // In words, too.
        #expect(refusal([0, 2] + rest4, 20)?.reason?.contains("16 bytes") == true)
    }

    @Test func `no more is written than the program has room for`() {
        var memory = [UInt8](repeating: 0xee, count: 64)
        var length: UInt32 = 8
        memory.withUnsafeMutableBytes { buffer in
            AddressMemory.write(SocketEndpoint("10.1.2.3:8080")!, to: buffer.baseAddress!, length: &length)
        }
        #expect(length == 16)
        #expect(Array(memory.prefix(8)) == [16, 2, 0x1f, 0x90, 10, 1, 2, 3])
        #expect(memory[8...].allSatisfy { $0 == 0xee })
        length = 28
        memory.withUnsafeMutableBytes { buffer in
            AddressMemory.write(SocketEndpoint("10.1.2.3:8080")!, to: buffer.baseAddress!, length: &length)
        }
        #expect(length == 16)
        #expect(memory[16...].allSatisfy { $0 == 0xee })
    }

    @Test func `options of lwIP and of the host are the same`() {
        #expect(OptionName(level: 0xfff, number: 0x1006) == .option(.receiveTimeout))
        #expect(OptionName(level: 1, number: 20) == .option(.receiveTimeout))
        #expect(OptionName(level: 6, number: 2) == .option(.keepAliveIdleMilliseconds))
        #expect(OptionName(level: 41, number: 27) == .option(.ipv6Only))
        #expect(OptionName(level: 0xfff, number: 0x0001) == nil)
        #expect(OptionName(level: 136, number: 1) == nil)
    }
}
