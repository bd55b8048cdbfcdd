// The version of the library.

/// Semantic version of this library.
package let libraryVersion = (major: 0, minor: 1, revision: 0)
