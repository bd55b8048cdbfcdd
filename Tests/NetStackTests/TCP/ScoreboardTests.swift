import NetPrimitives
import Testing

@testable import NetStack

/// One entry per byte: what the scoreboard must agree with.
private struct NaiveBoard {
    var una = 0
    var bytes: [(sacked: Bool, lost: Bool)] = []

    var sacked: Int { bytes.filter(\.sacked).count }
    var lost: Int { bytes.filter(\.lost).count }
}

/// A departure of which only the time matters.
private func left(_ time: Int) -> Departure {
    var departure = Departure.none
    departure.sentAt = time
    return departure
}

@Suite struct ScoreboardTests {
    private func check(_ board: Scoreboard, _ model: NaiveBoard) {
        #expect(board.sackedBytes == model.sacked)
        #expect(board.lostBytes == model.lost)
        var position = model.una
        for index in 0..<board.count {
            let record = board[index]
            #expect(record.start == position && record.end > record.start)
            for offset in record.start..<record.end {
                #expect(model.bytes[offset - model.una].sacked == record.isSacked)
                #expect(model.bytes[offset - model.una].lost == record.isLost)
            }
            position = record.end
        }
        #expect(position == model.una + model.bytes.count)
    }

    @Test func `random sends, ACKs, SACKs, losses and retransmissions agree with a board of bytes`() {
        var random = RandomSource(seed: 31)
        for _ in 0..<60 {
            var board = Scoreboard()
            var model = NaiveBoard()
            var time = 0
            for _ in 0..<120 {
                time += 1
                let next = model.una + model.bytes.count
                switch random.next(below: 6) {
                case 0, 1:
                    let length = 1 + random.next(below: 30)
                    board.append(start: next, end: next + length, departure: left(time))
                    model.bytes += Array(repeating: (false, false), count: length)
                case 2:
                    let count = random.next(below: model.bytes.count + 1) / 3
                    var sample = DeliverySample(highest: board.highestSacked)
                    let fresh = model.bytes.prefix(count).filter { !$0.sacked }.count
                    board.acknowledge(to: model.una + count, sample: &sample)
                    #expect(sample.delivered == fresh)
                    model.bytes.removeFirst(count)
                    model.una += count
                case 3:
                    guard model.bytes.count > 2 else { continue }
                    let start = random.next(below: model.bytes.count - 1)
                    let end = start + 1 + random.next(below: min(20, model.bytes.count - start))
                    var sample = DeliverySample(highest: board.highestSacked)
                    let fresh = model.bytes[start..<min(end, model.bytes.count)].filter { !$0.sacked }.count
                    board.sack(
                        start: model.una + start, end: model.una + min(end, model.bytes.count), sample: &sample)
                    #expect(sample.delivered == fresh)
                    for index in start..<min(end, model.bytes.count) { model.bytes[index] = (true, false) }
                case 4:
                    // Everything that left before a random moment, or then and not behind the given end, is lost.
                    let moment = random.next(below: time + 1)
                    var report = LossReport(before: 0, tolerance: 0.02)
                    _ = board.detectLosses(sentAt: moment, end: .max, wait: 0, time: time, report: &report)
                    let before = model.lost
                    for index in 0..<board.count where !board[index].isSacked {
                        #expect(board[index].isLost || board[index].sentAt > moment)
                    }
                    for index in 0..<board.count where board[index].isLost {
                        for offset in board[index].start..<board[index].end {
                            model.bytes[offset - model.una].lost = true
                        }
                    }
                    #expect(model.lost - before == report.bytes)
                default:
                    let limit = 1 + random.next(below: 25)
                    let firstLost = model.bytes.firstIndex { $0.lost }
                    let taken = board.takeLost(limit: limit)
                    if taken != nil { board.redepart(left(time)) }
                    #expect((taken == nil) == (firstLost == nil))
                    if let taken {
                        #expect(taken.end - taken.start <= limit)
                        for offset in taken.start..<taken.end {
                            #expect(model.bytes[offset - model.una].lost)
                            model.bytes[offset - model.una].lost = false
                        }
                    }
                }
                check(board, model)
            }
            var report = LossReport(before: 0, tolerance: 0.02)
            board.markAllLost(report: &report)
            var total = 0
            while let taken = board.takeLost(limit: 10) { total += taken.end - taken.start }
            let isReneged = model.bytes.first?.sacked == true
            #expect(total == (isReneged ? model.bytes.count : model.bytes.count - model.sacked))
        }
    }

    @Test func `hostile SACK blocks cannot grow the board without bound`() {
        var board = Scoreboard()
        board.append(start: 0, end: 100_000, departure: left(1))
        var sample = DeliverySample(highest: board.highestSacked)
        for start in stride(from: 1, to: 99_000, by: 2) {
            board.sack(start: start, end: start + 1, sample: &sample)
        }
        #expect(board.count <= TCPLimits.scoreboardRecords + 8)
        board.acknowledge(to: 100_000, sample: &sample)
        #expect(board.count == 0 && board.sackedBytes == 0 && sample.delivered == 100_000)
    }

    @Test func `a window of bursts without loss is one record per burst`() {
        var board = Scoreboard()
        for index in 0..<50 { board.append(start: index * 60_000, end: (index + 1) * 60_000, departure: left(index)) }
        #expect(board.count == 50)
        var sample = DeliverySample(highest: board.highestSacked)
        board.acknowledge(to: 30_000, sample: &sample)
        #expect(board.count == 50 && sample.delivered == 30_000 && sample.newestSentAt == 0)
    }
}
