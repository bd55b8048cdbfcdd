// The state directory of a node that runs, as its verbs show it.

import JSONValues
import ZeroTier
import ZeroTierService

/// Where a running node keeps its state, and the settings of this machine that are in it.
struct NodeHome: Sendable {
    let path: String
    // Of the service, if there is one: they are those in force.
    private let settings: LocalSettings?

    init(_ path: String, _ service: PreparedService? = nil) {
        self.path = path
        settings = service?.settings
    }

    /// What local.conf says. One that cannot be read says nothing to a node without a service: it does not go by it.
    var local: LocalConfiguration {
        if let settings { return settings.current }
        let bytes = (try? FileSystem.read("\(path)/\(LocalSettings.name)")) ?? nil
        return bytes.flatMap { try? LocalConfiguration($0) } ?? .none
    }
}
