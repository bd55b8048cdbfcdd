// Counters of the TCP/IP stack in the structures of both generations.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import ZeroTier

private typealias Counters = StackCounters.Counters

extension StackCounters {
    /// Writes all counters in the first generation's form.
    func fill(_ target: UnsafeMutablePointer<zts_stats>) {
        unsafe memset(target, 0, MemoryLayout<zts_stats>.size)
        unsafe target.pointee.link = proto(link)
        unsafe target.pointee.etharp = proto(arp)
        unsafe target.pointee.ip_frag = proto(fragments)
        unsafe target.pointee.ip = proto(ipv4)
        unsafe target.pointee.icmp = proto(icmp4)
        unsafe target.pointee.udp = proto(udp)
        unsafe target.pointee.tcp = tcpWithCache
        unsafe target.pointee.ip6 = proto(ipv6)
        unsafe target.pointee.icmp6 = proto(icmp6)
        unsafe target.pointee.ip6_frag = proto(fragments)
        unsafe target.pointee.igmp = groups(igmp)
        unsafe target.pointee.nd6 = proto(nd6)
    }

    /// Writes the counters that the second generation has.
    func fill(_ target: UnsafeMutablePointer<zts_stats_counter_t>) {
        // Each protocol is four numbers, in the order of the structure.
        let rows = [link, arp, ipv4, ipv6, icmp4, icmp6, udp, tcp, nd6]
        // Sound: the structure is 36 numbers of this type and nothing else, as the layout test asserts.
        let numbers = unsafe UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt32.self)
        for (row, counters) in rows.enumerated() {
            let errors =
                counters.checksumErrors &+ counters.lengthErrors &+ counters.memoryErrors
                &+ counters.routingErrors &+ counters.protocolErrors &+ counters.optionErrors
            for (column, value) in [counters.sent, counters.received, counters.dropped, errors].enumerated() {
                unsafe numbers[4 * row + column] = UInt32(truncatingIfNeeded: value)
            }
        }
    }

    private func groups(_ counters: Counters) -> zts_stats_igmp {
        var result = zts_stats_igmp()
        result.xmit = UInt32(truncatingIfNeeded: counters.sent)
        result.recv = UInt32(truncatingIfNeeded: counters.received)
        result.drop = UInt32(truncatingIfNeeded: counters.dropped)
        result.chkerr = UInt32(truncatingIfNeeded: counters.checksumErrors)
        result.lenerr = UInt32(truncatingIfNeeded: counters.lengthErrors)
        result.memerr = UInt32(truncatingIfNeeded: counters.memoryErrors)
        result.proterr = UInt32(truncatingIfNeeded: counters.protocolErrors)
        return result
    }

    fileprivate var tcpWithCache: zts_stats_proto {
        var result = proto(tcp)
        result.cachehit = UInt32(truncatingIfNeeded: cacheHits)
        return result
    }

    fileprivate func proto(_ counters: Counters) -> zts_stats_proto {
        var result = zts_stats_proto()
        result.xmit = UInt32(truncatingIfNeeded: counters.sent)
        result.recv = UInt32(truncatingIfNeeded: counters.received)
        result.drop = UInt32(truncatingIfNeeded: counters.dropped)
        result.chkerr = UInt32(truncatingIfNeeded: counters.checksumErrors)
        result.lenerr = UInt32(truncatingIfNeeded: counters.lengthErrors)
        result.memerr = UInt32(truncatingIfNeeded: counters.memoryErrors)
        result.rterr = UInt32(truncatingIfNeeded: counters.routingErrors)
        result.proterr = UInt32(truncatingIfNeeded: counters.protocolErrors)
        result.opterr = UInt32(truncatingIfNeeded: counters.optionErrors)
        return result
    }
}

extension StackCounters {
    /// The counters of one of `ZTS_STATS_PROTOCOL_*`; nil for another number.
    func proto(_ number: Int32) -> zts_stats_proto? {
        switch number {
        case ZTS_STATS_PROTOCOL_LINK: proto(link)
        case ZTS_STATS_PROTOCOL_ETHARP: proto(arp)
        case ZTS_STATS_PROTOCOL_IP: proto(ipv4)
        case ZTS_STATS_PROTOCOL_UDP: proto(udp)
        case ZTS_STATS_PROTOCOL_TCP: tcpWithCache
        case ZTS_STATS_PROTOCOL_ICMP: proto(icmp4)
        case ZTS_STATS_PROTOCOL_IP6: proto(ipv6)
        case ZTS_STATS_PROTOCOL_ICMP6: proto(icmp6)
        case 0...9: proto(fragments)
        default: nil
        }
    }
}

@c @implementation
public func zts_get_all_stats(_ statsDest: UnsafeMutablePointer<zts_stats>?) -> Int32 {
    unsafe Surface.first.fillStatistics(statsDest)
}

@c @implementation
public func zts_get_protocol_stats(_ protocolType: Int32, _ protoStatsDest: UnsafeMutableRawPointer?) -> Int32 {
    unsafe Surface.first.fillStatistics(protoStatsDest, ofProtocol: protocolType)
}

@c @implementation
public func zts_stats_get_all(_ dst: UnsafeMutablePointer<zts_stats_counter_t>?) -> Int32 {
    unsafe Surface.second.fillStatistics(dst)
}
