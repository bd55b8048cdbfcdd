// The version of the library.

/// The one number that everything shows: the command, the C library and its files, and peers of this node. Nodes take their
/// peers for older ones below 1.8.9, and 1.1.0 and 0.0.0 have meanings of their own.
package let libraryVersion = (major: 2, minor: 0, revision: 0)

/// The same as text.
package let libraryVersionText = "\(libraryVersion.major).\(libraryVersion.minor).\(libraryVersion.revision)"
