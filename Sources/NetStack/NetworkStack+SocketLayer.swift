// Calls that only a layer of Berkeley sockets needs. Read first: poll(2), socket(7).

package import NetPrimitives

extension NetworkStack {
    /// Asks for a `writable` event when there is room again, as a send that found none would.
    package mutating func requestWritableEvent(_ id: SocketID) throws(StackError) {
        switch id.kind {
        case .stream: streams[try streamSlot(id)].connection.requestWritableEvent()
        case .datagram: datagramSockets[try datagramSlot(id)].wantsWritable = true
        case .listener, .reservation: break
        }
    }

    /// Asks for one event at the connection's next change of any kind. A caller that waits for a number of bytes, or
    /// for delivery, needs it.
    package mutating func requestProgressEvent(_ id: SocketID) throws(StackError) {
        let slot = try streamSlot(id)
        streams[slot].flags.insert(.tellsProgress)
    }

    /// Changes the options that a listener's coming connections get.
    package mutating func setListenerConnectionOptions(
        _ id: SocketID, _ options: ConnectionOptions
    ) throws(StackError) {
        listeners[try listenerSlot(id)].listener.options = completed(options)
    }

    /// Sends at once what TCP_CORK holds back, and leaves the cork. Setting TCP_NODELAY does that (tcp(7)).
    package mutating func releaseCorked(_ id: SocketID, now: Now) throws(StackError) {
        let slot = try streamSlot(id)
        streams[slot].connection.releaseCorked()
        settle(slot, now)
    }

    /// The peer of a connection, even if the connection has ended.
    package func initialRemoteEndpoint(_ id: SocketID) throws(StackError) -> SocketEndpoint {
        streams[try streamSlot(id)].connection.remote
    }

    /// The interface that holds a local address.
    package func interface(holding address: IPAddress) -> InterfaceID? {
        owner(of: address, preferring: nil)
    }
}
