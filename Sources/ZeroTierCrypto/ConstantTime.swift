// Comparisons and wiping that the optimiser may not shorten.

import CCipherKernels

/// Operations on secrets whose time depends on lengths only.
package enum ConstantTime {
    /// Whether two byte strings are equal. Lengths are not secret: different lengths answer at once.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        guard !left.isEmpty else { return true }
        // Sound: both pointers are valid for `count` bytes during the call, which keeps neither.
        return unsafe ck_equal(left, right, left.count) != 0
    }

    /// Overwrites the bytes of an array with zeros. Only this copy: an array that shares its storage is left alone.
    package static func wipe(_ bytes: inout [UInt8]) {
        // Sound: the buffer is valid for its count during the call.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe ck_wipe(base, buffer.count)
        }
    }
}
