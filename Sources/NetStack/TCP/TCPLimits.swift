// Every constant of the TCP half, with its origin. Configurable ones are the defaults of `ConnectionOptions`.

/// Constants of TCP. Times are in nanoseconds where the name says so.
package enum TCPLimits {
    /// Smallest peer MSS that is honoured: smaller ones are raised to it (Linux `tcp_min_snd_mss`, CVE-2019-11479).
    package static let minimumSegmentSize = 48
    /// MSS of a peer that announces none over IPv4 (RFC 9293 3.7.1).
    package static let defaultSegmentSizeIPv4 = 536
    /// MSS of a peer that announces none over IPv6 (RFC 9293 3.7.1).
    package static let defaultSegmentSizeIPv6 = 1220
    /// Largest window scale (RFC 7323 2.3).
    package static let maximumWindowScale = 14
    /// Bytes of the timestamp option with its padding.
    package static let timestampOptionLength = 12

    /// Default ceiling of the send buffer: 1 Gbit/s over 100 ms, and as much again and half while a loss is repaired and
    /// nothing before it can be let go.
    package static let sendBufferMaximum = 32 << 20
    /// Default ceiling of the receive buffer.
    package static let receiveBufferMaximum = 32 << 20
    /// Buffers grow to this on any path.
    package static let shortPathBuffer = 1 << 20
    /// Above that they grow to what this many bytes a nanosecond make of the shortest round trip. A longer buffer carries
    /// no more, and its bytes have left the processor's cache when they are read again.
    package static let bufferBytesPerNanosecond = 3
    /// Where both buffers begin.
    package static let initialBuffer = 64 << 10
    /// Largest ceiling that can be configured.
    package static let bufferLimit = 64 << 20

    /// How far a buffer may grow by itself on a path. Nanoseconds; `Int.max`: not measured yet.
    package static func bufferCeiling(minimumRoundTrip: Int) -> Int {
        guard minimumRoundTrip < bufferLimit / bufferBytesPerNanosecond else { return bufferLimit }
        return max(shortPathBuffer, bufferBytesPerNanosecond * minimumRoundTrip)
    }

    /// Most out-of-order ranges kept; segments beyond are dropped (CVE-2018-5390). A queue that overflows at 1 Gbit/s over
    /// 50 ms leaves some 800 holes in a round trip.
    package static let outOfOrderRanges = 1024
    /// Most records of the retransmission scoreboard: beyond, SACK blocks that would split a record are ignored.
    package static let scoreboardRecords = 4096
    /// Most duplicate ACKs sent per receive batch.
    package static let duplicateAcknowledgmentsPerBatch = 3

    /// Initial window in segments (RFC 6928).
    package static let initialWindowSegments = 10
    /// On paths with a shorter round trip nothing is paced: a burst is as long as the round trip.
    package static let pacingRoundTripNanoseconds = 1_000_000
    /// Retransmission time-out before the first round-trip sample (RFC 6298 2.1).
    package static let initialTimeoutNanoseconds = 1_000_000_000
    /// Retransmission time-out after the SYN had to be repeated and no timestamp helps (RFC 6298 5.7).
    package static let repeatedSYNTimeoutNanoseconds = 3_000_000_000
    /// Floor of the variance term of the time-out, as Linux does it.
    package static let minimumVarianceNanoseconds = 200_000_000
    /// Ceiling of the time-out.
    package static let maximumTimeoutNanoseconds = 120_000_000_000
    /// Resolution of the clock that `now` is taken from: the slack of loss detection by time (RFC 8985 6.2 step 5).
    package static let clockResolutionNanoseconds = 1_000

    /// Segment sizes that are tried one after the other when longer ones do not arrive (RFC 4821 7.2; half of it, since even the
    /// least MTU of IPv4 hosts carries 536).
    static let blackHoleSegmentSizes = [1024, 512]
    /// When a segment of full size is first tried again. Perhaps only the path as a whole was down.
    static let firstLengthProbeNanoseconds = 1_000_000_000
    /// The longest pause between two tries, each four times the one before (RFC 8899 5.1.1: PMTU_RAISE_TIMER).
    static let lastLengthProbeNanoseconds = 600_000_000_000

    /// Retransmissions of a SYN before ETIMEDOUT (Linux `tcp_syn_retries`; 127 s).
    package static let synRetries = 6
    /// Retransmissions of a SYN-ACK before the half-open connection is forgotten.
    package static let synAckRetries = 5
    /// Half-open connections of one station of the link whose SYN-ACKs are retransmitted. More than that is a flood, whose sender
    /// would get several times what it sent; a client whose SYN-ACK got lost repeats its SYN.
    package static let remindedPerStation = 16
    /// Retransmissions of data before ETIMEDOUT (Linux `tcp_retries2`; about 924 s).
    package static let dataRetries = 15
    /// The same when no application holds the connection any more (Linux `tcp_orphan_retries`).
    package static let orphanRetries = 8

    /// Delayed ACK.
    package static let delayedAcknowledgmentNanoseconds = 40_000_000
    /// Least wait for a tail loss probe (as Linux): on a short path each pause of the application would end in a probe, and
    /// the probe in a wake-up for nothing.
    package static let minimumProbeTimeoutNanoseconds = 2_000_000
    /// The peer's worst delayed ACK, for tail loss probes (RFC 8985 7.2).
    package static let worstDelayedAcknowledgmentNanoseconds = 200_000_000
    /// Segments acknowledged without delay at the start of a connection.
    package static let quickAcknowledgments = 16
    /// TIME-WAIT, and the wait in FIN-WAIT-2 for a peer that does not close.
    package static let timeWaitNanoseconds = 60_000_000_000
    /// Least distance between challenge ACKs of one connection (RFC 5961 7).
    package static let challengeIntervalNanoseconds = 500_000_000
    /// Ticks of the peer's timestamp clock, mostly milliseconds, that a segment may be older than TS.Recent.
    package static let timestampTolerance: UInt32 = 16
    /// After this much silence a timestamp is no longer compared (RFC 7323 5.5: 24 days).
    package static let timestampAgeNanoseconds = 24 * 86_400 * 1_000_000_000
    /// Empty buffers that were idle for this long give their memory back.
    package static let idleReleaseNanoseconds = 1_000_000_000
    /// Up to this round trip a short tail waits for the ACK of a burst in flight.
    package static let tailHoldRoundTripNanoseconds = 2_000_000

    /// Half-open connections of one listener.
    package static let synQueue = 1024
    /// Largest backlog of a listener (Linux `somaxconn`).
    package static let maximumBacklog = 4096
}
