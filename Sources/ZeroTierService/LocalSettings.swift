// local.conf of a running node: read at the start, and again when it has changed.

package import JSONValues
import NetPrimitives
import Synchronization
package import ZeroTier

/// The present settings. A file that cannot be read any more is told once, and the settings before it stay in force.
package final class LocalSettings: Sendable {
    private struct State {
        var bytes: [UInt8]
        var configuration: LocalConfiguration
        var lookedAt: MonotonicInstant
    }

    /// The file's name in a state directory.
    package static let name = "local.conf"
    // A change counts after so long at the latest.
    private static let interval: Duration = .seconds(1)

    private let store: any StateStore
    private let complain: @Sendable (String) -> Void
    private let state: Mutex<State>

    /// Reads the file. Throws if it is there and broken. `complain` gets a sentence when it is so later.
    package init(_ store: any StateStore, complain: @escaping @Sendable (String) -> Void) throws(ZeroTierError) {
        self.store = store
        self.complain = complain
        let bytes = try store.read(LocalSettings.name) ?? []
        let configuration = try LocalSettings.parse(bytes, store)
        state = Mutex(State(bytes: bytes, configuration: configuration, lookedAt: SystemClock.monotonic()))
    }

    /// The settings in force.
    package var current: LocalConfiguration {
        state.withLock { state in
            let now = SystemClock.monotonic()
            guard now - state.lookedAt >= LocalSettings.interval else { return state.configuration }
            state.lookedAt = now
            refresh(&state)
            return state.configuration
        }
    }

    /// Reads the file at once. Throws why it cannot be used: the settings before it stay in force.
    package func reload() throws(ZeroTierError) {
        try state.withLock { (state) throws(ZeroTierError) in
            state.lookedAt = SystemClock.monotonic()
            let bytes = try store.read(LocalSettings.name) ?? []
            state.bytes = bytes
            state.configuration = try LocalSettings.parse(bytes, store)
        }
    }

    /// Changes settings, in the file too. Throws what cannot be set, and why the file cannot be written.
    package func set(_ changes: [(key: String, value: JSONValue)]) throws(ZeroTierError) {
        try state.withLock { (state) throws(ZeroTierError) in
            refresh(&state)
            let changed: LocalConfiguration
            do throws(JSONError) {
                changed = try state.configuration.setting(changes)
            } catch {
                throw ZeroTierError(.invalidArgument, "\(error)")
            }
            let bytes = Array((changed.root.indentedText + "\n").utf8)
            // What is too long or too deep would keep the next start from reading it.
            do throws(JSONError) {
                _ = try LocalConfiguration(bytes)
            } catch {
                throw ZeroTierError(.invalidArgument, "\(LocalSettings.name) cannot become so: \(error)")
            }
            // There may be passwords in it.
            try store.write(LocalSettings.name, bytes, isSecret: true)
            state.bytes = bytes
            state.configuration = changed
        }
    }

    private func refresh(_ state: inout State) {
        do throws(ZeroTierError) {
            let bytes = try store.read(LocalSettings.name) ?? []
            guard bytes != state.bytes else { return }
            state.bytes = bytes
            state.configuration = try LocalSettings.parse(bytes, store)
        } catch {
            complain("\(error.message); the settings before it stay in force")
        }
    }

    private static func parse(
        _ bytes: [UInt8], _ store: any StateStore
    ) throws(ZeroTierError) -> LocalConfiguration {
        do throws(JSONError) {
            return try LocalConfiguration(bytes)
        } catch {
            throw ZeroTierError(
                .invalidArgument, "\(store.location(of: name)): \(error). It was left as it is; correct or remove it")
        }
    }
}
