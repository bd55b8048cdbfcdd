import Testing

@testable import ZeroTier

@Suite struct EventTests {
    private func numbered(_ number: Int) -> NodeEvent { .message(from: NodeID(1), type: UInt64(number), data: []) }

    @Test func `every consumer gets every event, and nil after the last`() async {
        let hub = EventHub(capacity: 8)
        let consumers = (0..<3).map { _ in NodeEvents(subscription: hub.subscribe()) }
        for number in 0..<5 { hub.publish(numbered(number)) }
        hub.publish(.stopped)
        hub.publish(.online)
        for consumer in consumers {
            var seen: [NodeEvent] = []
            for await event in consumer { seen.append(event) }
            #expect(seen == (0..<5).map(numbered) + [.stopped])
        }
    }

    @Test func `a slow consumer loses the oldest and is told how many`() async {
        let hub = EventHub(capacity: 4)
        let events = NodeEvents(subscription: hub.subscribe())
        for number in 0..<1000 { hub.publish(numbered(number)) }
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == .missed(996))
        for number in 996..<1000 { #expect(await iterator.next() == numbered(number)) }
        hub.publish(.online)
        #expect(await iterator.next() == .online)
    }

    @Test func `a consumer that waits is woken`() async {
        let hub = EventHub(capacity: 4)
        let events = NodeEvents(subscription: hub.subscribe())
        async let first: NodeEvent? = {
            for await event in events { return event }
            return nil
        }()
        await Task.yield()
        hub.publish(.online)
        #expect(await first == .online)
    }

    @Test func `cancelling a waiting consumer ends its loop`() async {
        let hub = EventHub(capacity: 4)
        let events = NodeEvents(subscription: hub.subscribe())
        let task = Task {
            for await _ in events { Issue.record("there is no event") }
            return true
        }
        await Task.yield()
        task.cancel()
        #expect(await task.value)
    }

    @Test func `a consumer that comes after the end learns of it`() async {
        let hub = EventHub(capacity: 4)
        hub.publish(.stopped)
        var iterator = NodeEvents(subscription: hub.subscribe()).makeAsyncIterator()
        #expect(await iterator.next() == .stopped)
        #expect(await iterator.next() == nil)
    }

    @Test func `network IDs are exactly sixteen digits`() {
        #expect(NetworkID("8056c2e21c000001")?.value == 0x8056_c2e2_1c00_0001)
        #expect(NetworkID("8056c2e21c00001") == nil)
        #expect(NetworkID("+056c2e21c000001") == nil)
        #expect(NetworkID("8056c2e21c00000g") == nil)
        #expect(NetworkID.adHoc(ports: 80...443).description == "ff005001bb000000")
        #expect(NodeID("0123456789")?.description == "0123456789")
        #expect(NodeID("123456789") == nil)
    }
}
