// The cipher suites over whole packets, one thread, and the making of identities.

import NetPrimitives
import ZeroTierCrypto

/// Sealing and opening packets in place.
enum CipherBench {
    static func run() -> [String: Double] {
        var random = RandomSource(seed: 1)
        guard let key = SecretKeys.generate(using: &random).agree(with: SecretKeys.generate(using: &random).publicKeys)
        else { return [:] }
        let cipher = PacketCipher(key)
        var result: [String: Double] = ["ciphers.tier": Double(cipher.tier.rawValue)]
        for length in [1400, 2838] {
            var packet = random.bytes(length)
            func gigabytes(_ nanoseconds: Double) -> Double { Double(length) / nanoseconds }
            packet.withMutableBytes { span in
                span.storeUInt8(0x18, at: 18)
                let seal = Bench.nanoseconds(calls: 2000) { cipher.sealGMACSIV(&span, length: length) }
                let open = Bench.nanoseconds(calls: 2000) { _ = cipher.openGMACSIV(&span, length: length) }
                span.storeUInt8(0x88, at: 18)
                let classicSeal = Bench.nanoseconds(calls: 1000) {
                    cipher.sealClassic(&span, length: length, encrypt: true)
                }
                result["ciphers.gmac_siv_seal_\(length)_gb_per_s"] = gigabytes(seal)
                result["ciphers.gmac_siv_open_\(length)_gb_per_s"] = gigabytes(open)
                result["ciphers.salsa_poly_seal_\(length)_gb_per_s"] = gigabytes(classicSeal)
            }
        }
        return result
    }
}

/// The memory-hard address search.
enum IdentityBench {
    static func run() -> [String: Double] {
        var random = RandomSource(seed: SystemSeed.bytes())
        let times = (0..<40).map { _ in Bench.seconds { _ = IdentityWork.generate(using: &random) } }
        return [
            "identity.median_s": Bench.quantile(times, 0.5), "identity.p99_s": Bench.quantile(times, 0.99),
            "identity.mean_s": times.reduce(0, +) / Double(times.count),
        ]
    }
}

/// A seed from the system for measurements that should not repeat.
enum SystemSeed {
    static func bytes() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
