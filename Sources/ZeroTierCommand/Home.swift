// The default state directories.
// Read first: the XDG Base Directory Specification, "state".

import Glibc
import ZeroTier

/// The state directories that need not be named.
enum Home {
    /// An ordinary node's.
    static func standard() throws(Failure) -> String { try directory("zerotier") }

    /// A root's. It differs from a node's, because a machine may run both.
    static func standardOfRoot() throws(Failure) -> String { try directory("zerotier-root") }

    private static func directory(_ name: String) throws(Failure) -> String {
        if let given = variable("ZEROTIER_HOME") { return given }
        // Services of the system have theirs there.
        if geteuid() == 0 { return "/var/lib/\(name)" }
        if let state = variable("XDG_STATE_HOME"), state.hasPrefix("/") { return "\(state)/\(name)" }
        guard let home = variable("HOME") else {
            throw Failure("noHome", "neither ZEROTIER_HOME nor HOME is set: give --home")
        }
        return "\(home)/.local/state/\(name)"
    }

    /// A variable of the environment; nil for an empty one.
    static func variable(_ name: String) -> String? {
        // Sound: the environment is not changed by this program; the text is copied.
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}
