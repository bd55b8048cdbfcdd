// A TCP connection that can be cut, for tests.

import Foundation
import Synchronization

/// A way to a port of this machine that can be cut: then connections stay and nothing passes, as behind a firewall that drops.
package final class CutProxy: Sendable {
    /// Its port at 127.0.0.1.
    package let port: Int
    private let listener: Int32
    private let target: Int
    private let isCut = Mutex(false)
    private let isOver = Mutex(false)
    private let generation = Mutex(0)

    package init(to target: Int) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var address = CutProxy.loopback(0)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw PostgresServer.Missing(description: "no port for a proxy") }
        port = Int(address.sin_port.bigEndian)
        Thread.detachNewThread { [self] in accept() }
    }

    /// Cuts it, or lets pass again what waits.
    package func cut(_ isCut: Bool) { self.isCut.withLock { $0 = isCut } }

    /// Ends the connections of this moment, and takes new ones.
    package func breakOff() { generation.withLock { $0 += 1 } }

    package func stop() {
        isOver.withLock { $0 = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private func accept() {
        while true {
            let near = Glibc.accept(listener, nil, nil)
            guard near >= 0 else { break }
            Thread.detachNewThread { [self] in
                let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                var address = CutProxy.loopback(target)
                let isThere = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(far, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                    }
                }
                if isThere { pass(near, far) }
                close(near)
                close(far)
            }
        }
        close(listener)
    }

    // One thread serves both directions, and looks often whether it is cut.
    private func pass(_ near: Int32, _ far: Int32) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let generation = generation.withLock { $0 }
        while !isOver.withLock({ $0 }), self.generation.withLock({ $0 }) == generation {
            if isCut.withLock({ $0 }) {
                usleep(2000)
                continue
            }
            var entries = [
                pollfd(fd: near, events: Int16(POLLIN), revents: 0), pollfd(fd: far, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, 5) > 0 else { continue }
            for (index, entry) in entries.enumerated() where entry.revents != 0 {
                // What came just now is held too.
                while isCut.withLock({ $0 }), !isOver.withLock({ $0 }) { usleep(2000) }
                let count = recv(entry.fd, &bytes, bytes.count, 0)
                guard count > 0 else { return }
                var sent = 0
                let other = index == 0 ? far : near
                while sent < count {
                    let written = bytes.withUnsafeBytes {
                        send(other, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                    }
                    guard written > 0 else { return }
                    sent += written
                }
            }
        }
    }
}
