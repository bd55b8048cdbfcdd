// Descriptors of the host that follow sockets and events of the node, for event loops.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

@c @implementation
public func zts_get_event_fd(_ fd: Int32) -> Int32 {
    Int32(
        clamping: Surface.first.on(fd) { (place) throws(SocketError) in Int(try place.socket.eventDescriptor()) })
}

@c @implementation
public func zts_get_node_event_fd() -> Int32 {
    Generation.first.result {
        // A descriptor that free has closed must not come back: nothing would close it.
        if LibraryNode.shared.isFreed { throw CallFailure.because(.service, "everything was freed") }
        guard let number = LibraryNode.shared.events.eventDescriptor() else {
            throw CallFailure.because(.general, "the system gives no descriptor")
        }
        return number
    }
}
