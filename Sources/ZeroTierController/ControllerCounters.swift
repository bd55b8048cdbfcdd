//  What a controller did since it started.

/// Plain numbers. A change that the store refused is among them, too.
package struct ControllerCounters: Hashable, Sendable {
    /// Requests for configurations that were looked at: those of networks of others are not among them.
    package internal(set) var requests: UInt64 = 0
    /// Networks that were made, changed or deleted.
    package internal(set) var networkChanges: UInt64 = 0
    /// The same of members.
    package internal(set) var memberChanges: UInt64 = 0
    /// Members that were let in, and let out.
    package internal(set) var admissions: UInt64 = 0
    package internal(set) var expulsions: UInt64 = 0
    /// Records that the store was given.
    package internal(set) var networksStored: UInt64 = 0
    package internal(set) var membersStored: UInt64 = 0
}
