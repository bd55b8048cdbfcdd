// The pages of the library's code in this process. Read first: madvise(2), MADV_DONTNEED.

import CZeroTierSystem

/// What the start of a node ran is most of the library, and nothing of it runs again.
package enum CodePages {
    /// Gives them back to the kernel. Those that are needed come back one by one, from memory.
    package static func release() { _ = csystem_release_code() }
}

/// Memory that was freed. The C library keeps it for later requests.
package enum FreedMemory {
    /// Gives it back to the kernel. This takes some milliseconds, so it is for the end of a burst.
    package static func release() { csystem_release_freed() }
}
