// Several nodes in one process, by number. Their descriptors carry the number.

import Synchronization
import ZeroTier
package import ZeroTierSockets

/// The further nodes of this process.
package enum LibraryInstances {
    private static let table = Mutex<[Int32: LibraryNode]>([:])
    /// Numbers, and so nodes, of one process.
    package static let largest: Int32 = 2047

    // A fork has the numbers and none of the nodes, and perhaps another thread's hold on the lock.
    package static func node(_ instance: Int32) -> LibraryNode? {
        CallingThread.isForked ? nil : table.withLock { $0[instance] }
    }

    package static var all: [LibraryNode] { CallingThread.isForked ? [] : table.withLock { Array($0.values) } }

    package static var hasAny: Bool { !CallingThread.isForked && table.withLock { !$0.isEmpty } }

    package static func add(_ node: LibraryNode) -> Int32? {
        table.withLock { table in
            guard let free = (1...largest).first(where: { table[$0] == nil }) else { return nil }
            table[free] = node
            return free
        }
    }

    package static func remove(_ instance: Int32) -> LibraryNode? {
        table.withLock { $0.removeValue(forKey: instance) }
    }
}

/// A descriptor of the program, taken apart: the node, and the number there.
package struct SocketPlace {
    package let library: LibraryNode
    /// The number in the node's own table.
    package let descriptor: Int32

    /// Descriptors of further nodes carry the node's number above these bits.
    package static let instanceShift: Int32 = 20

    package init?(_ descriptor: Int32) {
        let instance = descriptor >> SocketPlace.instanceShift
        guard descriptor >= 0 else { return nil }
        if instance == 0 {
            library = .shared
        } else {
            guard let found = LibraryInstances.node(instance) else { return nil }
            library = found
        }
        self.descriptor = descriptor & (1 << SocketPlace.instanceShift - 1)
        base = instance << SocketPlace.instanceShift
    }

    private let base: Int32

    package var layer: SocketLayer { library.layer }

    /// The socket of the descriptor.
    package var socket: BlockingSocket { get throws(SocketError) { try layer[descriptor] } }

    /// The number by which the program knows a descriptor of this node.
    package func outside(_ descriptor: Int32) -> Int32 { base | descriptor }
}
