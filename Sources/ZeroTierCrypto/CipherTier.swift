// Which kernels of `CCipherKernels` a cipher runs on.

import CCipherKernels

/// A class of processors with kernels of its own; all give the same bytes.
package enum CipherTier: Int32, CaseIterable, Comparable, Sendable {
    /// Any processor; no table lookup and no branch depends on a secret.
    case portable = 0
    /// x86-64 with AES, carry-less multiply and AVX2 instructions.
    case aesni = 1
    /// x86-64 with AES and carry-less multiply on 512-bit registers.
    case vaes = 2

    /// The strongest tier this processor can run.
    package static var best: CipherTier { CipherTier(rawValue: ck_best_tier()) ?? .portable }

    package static func < (left: CipherTier, right: CipherTier) -> Bool { left.rawValue < right.rawValue }
}
