// The version of the library.

/// The version that everything shows: the command, the C library and its files, and this node to its peers. Nodes treat a
/// peer below 1.8.9 as an older one, and 1.1.0 and 0.0.0 have meanings of their own.
package let libraryVersion = (major: 2, minor: 0, revision: 0)

/// The same as text.
package let libraryVersionText = "\(libraryVersion.major).\(libraryVersion.minor).\(libraryVersion.revision)"
