import NetPrimitives
import Testing

@Suite struct TransmitBatchTests {
    private let first = PhysicalPath(localSocket: 0, remote: SocketEndpoint(IPAddress(v4: 1), port: 1))
    private let second = PhysicalPath(localSocket: 0, remote: SocketEndpoint(IPAddress(v4: 2), port: 1))

    private func fill(_ batch: inout TransmitBatch, _ length: Int, _ path: PhysicalPath, _ value: UInt8) -> Bool {
        batch.append(length, to: path) { span in
            for index in 0..<span.byteCount { span.storeUInt8(value, at: index) }
        }
    }

    private func expectFill(_ batch: inout TransmitBatch, _ length: Int, _ path: PhysicalPath, _ value: UInt8) {
        let stored = fill(&batch, length, path, value)
        #expect(stored)
    }

    @Test func `equal datagrams of one path make one run and a shorter one ends it`() {
        var batch = TransmitBatch()
        for value in UInt8(1)...3 { expectFill(&batch, 100, first, value) }
        expectFill(&batch, 40, first, 4)
        expectFill(&batch, 40, first, 5)
        expectFill(&batch, 40, second, 6)
        #expect(batch.runs.map(\.count) == [4, 1, 1])
        #expect(batch.runs.map(\.lastLength) == [40, 40, 40])
        #expect(batch.datagramCount == 6)
        var seen: [(PhysicalPath, Int, UInt8)] = []
        batch.forEachDatagram { seen.append(($0, $1.byteCount, $1.loadUInt8(at: $1.byteCount - 1))) }
        #expect(seen.map(\.1) == [100, 100, 100, 40, 40, 40])
        #expect(seen.map(\.2) == [1, 2, 3, 4, 5, 6])
        #expect(seen.map(\.0) == [first, first, first, first, first, second])
    }

    @Test func `a full slab refuses and writes nothing`() {
        var batch = TransmitBatch()
        var appended = 0
        while fill(&batch, 1427, first, 1) { appended += 1 }
        #expect(appended == TransmitBatch.slabSize / 1427)
        let full = batch.room(stride: 1427)
        #expect(full == 0)
        var called = false
        let refused = !batch.append(1427, to: first) { _ in called = true }
        #expect(refused && !called)
        batch.clear()
        let (empty, room) = (batch.isEmpty, batch.room(stride: 1427))
        #expect(empty && room == appended)
    }

    @Test func `a run keeps within what one system call takes`() {
        var batch = TransmitBatch()
        for _ in 0..<200 { expectFill(&batch, 100, first, 1) }
        #expect(batch.runs.map(\.count) == [64, 64, 64, 8])
        batch.clear()
        while fill(&batch, 6000, first, 1) {}
        #expect(batch.runs.allSatisfy { $0.byteCount <= TransmitBatch.maximumRunBytes })
    }

    @Test func `parts of one packet join the run of its predecessor`() {
        var batch = TransmitBatch()
        for _ in 0..<5 {
            var lent = 0
            let fits = batch.appendParts(count: 2, stride: 1427, lastLength: 1427, to: first) { lent = $0.byteCount }
            #expect(fits && lent == 2854)
        }
        #expect(batch.runs.map(\.count) == [10])
    }
}

@Suite struct ReceiveBatchTests {
    private let path = PhysicalPath(localSocket: 1, remote: SocketEndpoint(IPAddress(v4: 9), port: 9))

    @Test func `a coalesced buffer is cut at the segment size`() {
        var batch = ReceiveBatch()
        batch.setDatagrams(total: 1000, segmentSize: 300, path: path)
        #expect(batch.datagrams.map(\.length) == [300, 300, 300, 100])
        batch.setDatagrams(total: 1000, segmentSize: 0, path: path)
        #expect(batch.datagrams.map(\.length) == [1000])
        batch.setDatagrams(total: 0, segmentSize: 0, path: path)
        #expect(batch.datagrams.isEmpty)
    }

    @Test func `appended datagrams read back and an overlong one is refused`() {
        var batch = ReceiveBatch(capacity: 100)
        let stored = [UInt8](1...60).withBytes { batch.append($0, path: path) }
        #expect(stored)
        let refused = [UInt8](1...41).withBytes { batch.append($0, path: path) }
        #expect(!refused)
        let bytes = batch.withDatagram(0) { $0.copyBytes(0, 60) }
        #expect(bytes == [UInt8](1...60))
    }
}

@Suite struct CursorTests {
    @Test func `numbers of every width are written big-endian`() throws {
        var writer = ByteWriter()
        writer.uint8(1)
        writer.uint16(0x0203)
        writer.uint32(0x0405_0607)
        writer.uint40(0x08_090a_0b0c)
        writer.uint48(0x0d0e_0f10_1112)
        writer.uint64(0x1314_1516_1718_191a)
        writer.bytes([0x1b])
        let bytes = writer.bytes
        #expect(bytes == [UInt8](1...0x1b))
        writer.patchUInt16(0xaabb, at: 1)
        #expect(writer.count == 0x1b && Array(writer.bytes[..<4]) == [1, 0xaa, 0xbb, 4])
    }
}
