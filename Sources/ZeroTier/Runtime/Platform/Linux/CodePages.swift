// The pages of the library's code in this process. Read first: madvise(2), MADV_DONTNEED.

import CZeroTierSystem

/// What the start of a node ran is most of the library, and nothing of it runs again.
package enum CodePages {
    /// Gives them back to the kernel. Those that are needed come back one by one, from memory.
    package static func release() { _ = csystem_release_code() }
}
