import NetPrimitives
import Testing

@testable import NetStack

@Suite struct DeliveryRateTests {
    private func acknowledge(_ departures: Departure..., bytes: Int = 10_000) -> DeliverySample {
        var sample = DeliverySample(highest: .min)
        for (index, departure) in departures.enumerated() {
            let record = Scoreboard.Record(
                start: index * bytes, end: (index + 1) * bytes, departure: departure)
            sample.note(record, to: record.end, isSack: false)
        }
        return sample
    }

    @Test func `a sample is what was delivered over the longer of sending and acknowledging it`() {
        var rate = DeliveryRate()
        let first = rate.depart(bytes: 10_000, inFlight: 0, time: 0)
        let second = rate.depart(bytes: 10_000, inFlight: 10_000, time: 1_000_000)
        var sample = rate.sample(acknowledge(first), minimumRoundTrip: 0, time: 10_000_000)
        #expect(sample.rate == 1_000_000 && sample.delivered == 10_000 && sample.priorDelivered == 0)
        #expect(sample.inFlightAtDeparture == 10_000 && sample.roundTrip == 10_000_000)
        sample = rate.sample(acknowledge(second), minimumRoundTrip: 0, time: 11_000_000)
        #expect(sample.delivered == 20_000 && sample.inFlightAtDeparture == 20_000)
        #expect(abs(sample.rate - 20_000 / 0.011) < 1)
        // A bunch of ACKs is no speed: sending took longer.
        let third = rate.depart(bytes: 10_000, inFlight: 0, time: 20_000_000)
        let fourth = rate.depart(bytes: 10_000, inFlight: 10_000, time: 40_000_000)
        sample = rate.sample(acknowledge(third, fourth), minimumRoundTrip: 0, time: 41_000_000)
        #expect(abs(sample.rate - 20_000 / 0.021) < 1)
    }

    @Test func `over less than a round trip there is no sample`() {
        var rate = DeliveryRate()
        let departure = rate.depart(bytes: 10_000, inFlight: 0, time: 0)
        let sample = rate.sample(acknowledge(departure), minimumRoundTrip: 6_000_000, time: 5_000_000)
        #expect(sample.rate == 0 && sample.newlyDelivered == 10_000)
    }

    @Test func `what leaves after a pause of the application says so until it has all arrived`() {
        var rate = DeliveryRate()
        let first = rate.depart(bytes: 10_000, inFlight: 0, time: 0)
        rate.limitByApplication(inFlight: 10_000)
        let second = rate.depart(bytes: 10_000, inFlight: 10_000, time: 1_000_000)
        let before = rate.sample(acknowledge(first), minimumRoundTrip: 0, time: 9_000_000)
        #expect(!before.isApplicationLimited && rate.isApplicationLimited)
        let after = rate.sample(acknowledge(second), minimumRoundTrip: 0, time: 9_000_000)
        #expect(after.isApplicationLimited && !rate.isApplicationLimited)
        let third = rate.depart(bytes: 1, inFlight: 0, time: 10_000_000)
        #expect(!third.isApplicationLimited)
    }

    @Test func `a sender whose application pauses marks what it sends, one that keeps it full does not`() {
        var host = TestHost.established()
        host.send(bytes(2_000))
        _ = host.output()
        #expect(host.connection.sender.rate.isApplicationLimited == true, "less than the window was written")
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2_000)
        host.send(bytes(60_000))
        _ = host.output()
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2_000 + 8 * 1460)
        #expect(host.connection.sender.rate.isApplicationLimited == false)
    }

    @Test func `the loss that passes the tolerance says how much was in flight there`() {
        var departure = Departure.none
        departure.inFlight = 100_000
        var report = LossReport(before: 0, tolerance: 0.02)
        report.note(Scoreboard.Record(start: 0, end: 1_000, departure: departure))
        #expect(report.excess == nil && report.bytes == 1_000)
        // 21 kB lost of 100: two percent of 80 kB were crossed within the burst.
        report.note(Scoreboard.Record(start: 10_000, end: 30_000, departure: departure))
        #expect(report.bytes == 21_000 && report.ranges == 2)
        #expect(report.excess.map { abs($0.inFlight - 80_612) < 5 } == true, "\(String(describing: report.excess))")
    }

    /// One datagram in a hundred is lost: of segments in two pieces it is two, which is no congestion either.
    @Test func `what is tolerated is a share of datagrams, not of segments`() {
        #expect(abs(LossReport.tolerance(pieces: 1) - 0.02) < 1e-9)
        #expect(abs(LossReport.tolerance(pieces: 2) - 0.0396) < 1e-9)
        #expect(LossReport.tolerance(pieces: 1 << 40) < 0.3)
        var host = TestHost.established()
        #expect(host.connection.sender.congestion.state.lossTolerance == LossReport.tolerance(pieces: 1))
        host.connection.setPieceLength(1_416)
        #expect(host.connection.sender.congestion.state.lossTolerance == LossReport.tolerance(pieces: 2))
        // Short enough for one piece.
        host.connection.limitSegmentSize(to: 1_300, sequence: nil, now: host.now)
        #expect(host.connection.sender.congestion.state.lossTolerance == LossReport.tolerance(pieces: 1))
    }
}
