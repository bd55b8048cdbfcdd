// The ciphers of packets between one pair of nodes, in place.
// Read first: `zerotier/ZeroTierOne node/Packet.hpp` for the header, `node/AES.hpp` for GMAC-SIV; the code is in
// `CCipherKernels`.

import CCipherKernels

/// Expanded keys of one pair of nodes: about 1.4 KB behind one pointer, wiped when they go.
///
/// Immutable after creation (about 10 microseconds), so any number of threads may use it. All packets begin at offset 0
/// of their span; bytes after `length` are not touched.
@safe package struct PacketCipher: ~Copyable, Sendable {
    /// Bytes before the part that is encrypted: packet ID 8, destination 5, source 5, flags 1, MAC 8.
    package static let headerSize = 27

    // Sound to share: the kernels only read it, and only `deinit` frees it.
    private nonisolated(unsafe) let context: OpaquePointer

    /// Expands the keys of a pair of nodes.
    package init(_ key: SharedKey) { self.init(key, tier: .best) }

    /// Expands the keys for a given tier of kernels, or the best this processor has if that is less.
    package init(_ key: SharedKey, tier: CipherTier) {
        var gmac = KeyDerivation.derive(key.bytes, label: KeyDerivation.gmacLabel, context: 0, iteration: 0)
        var siv = KeyDerivation.derive(key.bytes, label: KeyDerivation.sivLabel, context: 0, iteration: 0)
        defer {
            ConstantTime.wipe(&gmac)
            ConstantTime.wipe(&siv)
        }
        // Sound: each key has at least the 32 bytes that are read; the context copies them.
        guard let context = unsafe ck_context_create(key.bytes, gmac, siv, tier.rawValue) else {
            preconditionFailure("no memory for a cipher context")
        }
        unsafe self.context = context
    }

    deinit {
        // Sound: the pointer came from `ck_context_create` and nobody else holds it.
        unsafe ck_context_destroy(context)
    }

    /// The tier of kernels in use.
    package var tier: CipherTier { CipherTier(rawValue: unsafe ck_context_tier(context)) ?? .portable }

    /// Suites 0 and 1: encrypts from byte 27 on when asked to, and writes the MAC to bytes 19..<27. The rest of the
    /// header must be final. `length` is the whole packet's, at least 27.
    package borrowing func sealClassic(_ packet: inout MutableRawSpan, length: Int, encrypt: Bool) {
        precondition(length >= PacketCipher.headerSize && length <= packet.byteCount, "packet outside its span")
        // Sound: the kernel touches `length` bytes, which were checked just above.
        unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            unsafe ck_classic_seal(context, base, length, encrypt ? 1 : 0)
        }
    }

    /// Suites 0 and 1: checks the MAC, then decrypts when asked to. False leaves the packet untouched.
    package borrowing func openClassic(_ packet: inout MutableRawSpan, length: Int, decrypt: Bool) -> Bool {
        guard length >= PacketCipher.headerSize, length <= packet.byteCount else { return false }
        // Sound: the kernel touches `length` bytes, which were checked just above.
        return unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else { return false }
            return unsafe ck_classic_open(context, base, length, decrypt ? 1 : 0) != 0
        }
    }

    /// Suite 3: takes bytes 0..<8 as the initialisation vector, encrypts from byte 27 on, and replaces bytes 0..<8 and
    /// 19..<27. Flags must be final. `length` is the whole packet's, at least 27.
    package borrowing func sealGMACSIV(_ packet: inout MutableRawSpan, length: Int) {
        precondition(length >= PacketCipher.headerSize && length <= packet.byteCount, "packet outside its span")
        // Sound: the kernel touches `length` bytes, which were checked just above.
        unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            unsafe ck_gmac_siv_seal(context, base, length)
        }
    }

    /// Suite 3: decrypts from byte 27 on and checks the MAC. False leaves that part undefined: drop the packet.
    package borrowing func openGMACSIV(_ packet: inout MutableRawSpan, length: Int) -> Bool {
        var vector: UInt64 = 0
        return openGMACSIV(&packet, length: length, vector: &vector)
    }

    /// The same; `vector` becomes the initialisation vector that the sealer took, as a big-endian number.
    package borrowing func openGMACSIV(_ packet: inout MutableRawSpan, length: Int, vector: inout UInt64) -> Bool {
        guard length >= PacketCipher.headerSize, length <= packet.byteCount else { return false }
        // Sound: the kernel touches `length` bytes, which were checked just above, and the eight of the number.
        let isAuthentic = unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else { return false }
            return unsafe withUnsafeMutableBytes(of: &vector) { number in
                guard let target = unsafe number.bindMemory(to: UInt8.self).baseAddress else { return false }
                return unsafe ck_gmac_siv_open(context, base, length, target) != 0
            }
        }
        vector = UInt64(bigEndian: vector)
        return isAuthentic
    }

    /// Encrypts or decrypts the inner section `from..<to` of a HELLO, under the pair's own key and the packet's ID.
    package borrowing func cryptHelloSection(_ packet: inout MutableRawSpan, from: Int, to: Int) {
        precondition(from >= 8 && from <= to && to <= packet.byteCount, "section outside its span")
        // Sound: the kernel touches bytes 0..<8 and the section, which were checked just above.
        unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            unsafe ck_hello_section(context, base, from, to)
        }
    }
}
