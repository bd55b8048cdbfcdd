// The addresses of this machine, and word when they change. Read first: getifaddrs(3), rtnetlink(7).

import CZeroTierSystem
package import NetPrimitives

/// One address of an interface that is up.
package struct InterfaceAddress: Hashable, Sendable {
    package let interface: String
    package let prefix: IPPrefix
    package let isLoopback: Bool
    /// A privacy, tentative or deprecated IPv6 address.
    package let isTemporary: Bool
}

/// Watches the interfaces. Without netlink the driver asks again from time to time.
package struct InterfaceWatcher: Sendable {
    /// Readable after a change; nil where the system has no such thing.
    package let descriptor: Descriptor?

    package init() {
        let number = csystem_interface_watch_open()
        descriptor = number >= 0 ? Descriptor(owning: number) : nil
    }

    /// Takes note of the changes that made the descriptor readable.
    package func drain() {
        if let descriptor { csystem_interface_watch_drain(descriptor.number) }
    }

    /// All addresses of interfaces that are up.
    package static func scan() -> [InterfaceAddress] {
        var capacity = 64
        while true {
            var entries = [csystem_interface](repeating: csystem_interface(), count: capacity)
            // Sound: the shim fills at most `capacity` entries.
            let count = Int(unsafe csystem_interfaces(&entries, Int32(capacity)))
            if count > capacity {
                capacity = count
                continue
            }
            return entries.prefix(max(0, count)).map { entry in
                // Sound: the name is a zero-terminated array inside the struct.
                let name = unsafe withUnsafeBytes(of: entry.name) { raw in
                    unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
                }
                return InterfaceAddress(
                    interface: name,
                    prefix: IPPrefix(entry.address.endpoint.address, length: Int(entry.prefix_length)),
                    isLoopback: entry.is_loopback != 0, isTemporary: entry.is_temporary != 0)
            }
        }
    }
}
