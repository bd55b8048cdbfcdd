// poll and select over descriptors of one node, or of several. Read first: poll(2), select(2).

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

extension SocketCalls {
    // If a call names descriptors of several nodes, it waits this long for each in turn.
    private static let slice = Duration.milliseconds(5)
    private static let largestPoll: UInt32 = 65_536

    static func poll(
        _ entries: UnsafeMutablePointer<zts_pollfd>?, _ count: UInt32, _ timeout: Int32, _ surface: Surface
    ) -> Int {
        CallingThread.run { unsafe pollInCall(entries, count, timeout, surface) }
    }

    private static func pollInCall(
        _ entries: UnsafeMutablePointer<zts_pollfd>?, _ count: UInt32, _ timeout: Int32, _ surface: Surface
    ) -> Int {
        guard LibraryNode.shared.isStarted || LibraryInstances.hasAny else {
            return Int(surface.generation.fail(.notRunning))
        }
        if unsafe entries == nil, count > 0 { return fail(SocketError(.badMemory, "fds is NULL")) }
        guard count <= largestPoll else { return fail(SocketError(.invalid, "nfds is more than 65536")) }
        let places = (0..<Int(count)).map { unsafe SocketPlace(entries![$0].fd) }
        var groups: [(layer: SocketLayer, indices: [Int], entries: [PollEntry])] = []
        var invalid: Set<Int> = []
        for (index, place) in places.enumerated() {
            let raw = unsafe entries![index]
            unsafe entries![index].revents = 0
            if raw.fd < 0 { continue }
            guard let place else {
                invalid.insert(index)
                continue
            }
            let entry = PollEntry(place.descriptor, PollEvents(rawValue: raw.events))
            if let group = groups.firstIndex(where: { $0.layer === place.layer }) {
                groups[group].indices.append(index)
                groups[group].entries.append(entry)
            } else {
                groups.append((place.layer, [index], [entry]))
            }
        }
        if groups.isEmpty { groups.append((.shared, [], [])) }
        for index in invalid { unsafe entries![index].revents = PollEvents.invalid.rawValue }
        let time = timeout < 0 ? nil : Duration.milliseconds(Int(timeout))
        do throws(SocketError) {
            try wait(&groups, invalid.isEmpty ? time : .zero)
        } catch {
            return fail(error)
        }
        var ready = invalid.count
        for group in groups {
            for (place, index) in group.indices.enumerated() {
                let bits = group.entries[place].ready.rawValue
                unsafe entries![index].revents = bits
                if bits != 0 { ready += 1 }
            }
        }
        czerotier_set_errno(0)
        return ready
    }

    private static func wait(
        _ groups: inout [(layer: SocketLayer, indices: [Int], entries: [PollEntry])], _ time: Duration?
    ) throws(SocketError) {
        if groups.count == 1 {
            _ = try groups[0].layer.poll(&groups[0].entries, timeout: time)
            return
        }
        let end = time.map { ContinuousClock.now + $0 }
        while true {
            var ready = 0
            for index in groups.indices {
                ready += try groups[index].layer.poll(&groups[index].entries, timeout: .zero)
            }
            if ready > 0 { return }
            if let end, ContinuousClock.now >= end { return }
            // The first one wakes us at once, the others within the slice.
            _ = try groups[0].layer.poll(&groups[0].entries, timeout: slice)
        }
    }

    /// `read`, `write` and `except` are sets of 128 bytes, or nil.
    static func select(
        _ count: Int32, _ read: UnsafeMutableRawPointer?, _ write: UnsafeMutableRawPointer?,
        _ except: UnsafeMutableRawPointer?, seconds: Int?, microseconds: Int, _ surface: Surface
    ) -> Int {
        guard LibraryNode.shared.isStarted else { return Int(surface.generation.fail(.notRunning)) }
        return run { () throws(SocketError) in
            var time: Duration?
            if let seconds {
                guard seconds >= 0, microseconds >= 0 else {
                    throw SocketError(.invalid, "the time is negative")
                }
                time = .seconds(min(seconds, Int(Int32.max))) + .microseconds(min(microseconds, Int(Int32.max)))
            }
            guard (0...1024).contains(count) else {
                throw SocketError(.invalid, "nfds is not in 0...1024: for higher descriptors there is poll")
            }
            var sets = unsafe (load(read, count), load(write, count), load(except, count))
            let ready = try SocketLayer.shared.select(
                count: Int(count), read: &sets.0, write: &sets.1, except: &sets.2, timeout: time)
            unsafe store(sets.0, to: read, count)
            unsafe store(sets.1, to: write, count)
            unsafe store(sets.2, to: except, count)
            return ready
        }
    }

    // Bits of `count` descriptors, in whole words as the host's select has it.
    private static func load(_ memory: UnsafeRawPointer?, _ count: Int32) -> DescriptorSet {
        var result = DescriptorSet()
        guard let memory = unsafe memory else { return result }
        for word in 0..<((Int(count) + 63) / 64) {
            // Sound: sets have 128 bytes, and there are at most 16 words.
            let bits = unsafe memory.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
            let left = Int(count) - 64 * word
            result.words[word] = left >= 64 ? bits : bits & (1 << UInt64(left) - 1)
        }
        return result
    }

    private static func store(_ set: DescriptorSet, to memory: UnsafeMutableRawPointer?, _ count: Int32) {
        guard let memory = unsafe memory else { return }
        for word in 0..<((Int(count) + 63) / 64) {
            unsafe memory.storeBytes(of: set.words[word], toByteOffset: 8 * word, as: UInt64.self)
        }
    }
}
