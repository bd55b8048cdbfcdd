// Places in tables.

/// The finaliser of a 64-bit mixer: all input bits reach all output bits. With a secret in its argument nobody outside knows which
/// values fall together.
@inlinable
@inline(__always)
package func mix(_ value: UInt64) -> UInt64 {
    var x = value
    x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
    x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
    return x ^ (x >> 31)
}
