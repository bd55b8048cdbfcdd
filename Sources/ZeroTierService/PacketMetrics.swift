// Packets, bytes, frames and the controller's work as metrics, under the names of the field's daemon. Read first: Docs/service.md,
// "Metrics".

import ZeroTier
import ZeroTierController
import ZeroTierWire

extension MetricsText {
    /// What a node counted. `networks` are the joined ones, in order.
    mutating func write(_ counters: NodeCounters, _ networks: [ZeroTier.NetworkID]) {
        family("zt_packet", .counter, "packets by verb")
        for verb in Verb.allCases { both("zt_packet", counters.packets[verb], ("packet_type", verb.metricName)) }
        family("zt_packet_error", .counter, "ERROR packets by their code")
        for code in ErrorReply.Code.allCases {
            guard let name = code.metricName else { continue }
            both("zt_packet_error", counters.errors[code], ("error_type", name))
        }
        // Nobody sends these; the field's daemon shows them, too.
        both("zt_packet_error", nil, ("error_type", "internal_server_error"))
        family("zt_data", .counter, "bytes of datagrams, without the headers of UDP and IP")
        both("zt_data", counters.bytes, ("protocol", "udp"))
        both("zt_data", nil, ("protocol", "tcp"))
        family("zt_network_packets", .counter, "frames that the rules of a network let pass or dropped")
        for network in networks {
            let frames = counters.frames[network] ?? NodeCounters.Frames()
            for (accepted, counts) in [("yes", frames.accepted), ("no", frames.refused)] {
                for (direction, count) in [("rx", counts.received), ("tx", counts.sent)] {
                    sample(
                        "zt_network_packets", count,
                        [("accepted", accepted), ("direction", direction), ("network_id", "\(network)")])
                }
            }
        }
    }

    private mutating func both(_ name: String, _ counts: NodeCounters.Both?, _ label: (String, String)) {
        let counts = counts ?? NodeCounters.Both()
        sample(name, counts.received, [("direction", "rx"), label])
        sample(name, counts.sent, [("direction", "tx"), label])
    }

    /// What a controller has and did.
    mutating func writeController(
        _ records: (networks: Int, members: Int), _ work: (counters: ControllerCounters, waiting: Int)
    ) {
        let gauges: [(String, String, Int)] = [
            ("controller_network_count", "networks of this controller", records.networks),
            ("controller_member_count", "members of these networks, those who wait included", records.members),
            ("controller_network_config_request_queue", "configurations that wait for their signature", work.waiting),
            ("controller_network_config_request_threads", "threads that sign configurations", 1),
        ]
        for (name, meaning, value) in gauges {
            family(name, .gauge, meaning)
            sample(name, value)
        }
        let counters = work.counters
        let counts: [(String, String, UInt64)] = [
            ("controller_network_change_count", "networks made, changed and deleted", counters.networkChanges),
            ("controller_member_change_count", "members made, changed and deleted", counters.memberChanges),
            ("controller_member_auth_count", "members let in", counters.admissions),
            ("controller_member_deauth_count", "members let out", counters.expulsions),
            ("controller_network_config_request", "requests for configurations", counters.requests),
            ("controller_db_network_change", "records of networks given to the store", counters.networksStored),
            ("controller_db_member_change", "records of members given to the store", counters.membersStored),
        ]
        for (name, meaning, value) in counts {
            family(name, .counter, meaning)
            sample(name, value)
        }
    }
}

extension Verb {
    /// The field's word in metrics.
    fileprivate var metricName: String {
        switch self {
        case .nop: "nop"
        case .hello: "hello"
        case .error: "error"
        case .ok: "ok"
        case .whois: "whois"
        case .rendezvous: "rendezvous"
        case .frame: "frame"
        case .extendedFrame: "ext_frame"
        case .echo: "echo"
        case .multicastLike: "multicast_like"
        case .networkCredentials: "network_credentials"
        case .networkConfigRequest: "network_config_request"
        case .networkConfig: "network_config"
        case .multicastGather: "multicast_gather"
        case .multicastFrame: "multicast_frame"
        case .pushDirectPaths: "push_direct_paths"
        case .acknowledgement: "ack"
        case .qualityMeasurement: "qos"
        case .userMessage: "user_message"
        case .remoteTrace: "remote_trace"
        case .pathNegotiationRequest: "path_negotiation_request"
        }
    }
}

extension ErrorReply.Code {
    /// The field's word in metrics; nil for those that it does not count.
    fileprivate var metricName: String? {
        switch self {
        case .invalidRequest, .badProtocolVersion: nil
        case .objectNotFound: "obj_not_found"
        case .identityCollision: "identity_collision"
        case .unsupportedOperation: "unsupported_operation"
        case .needMembershipCertificate: "need_membership_certificate"
        case .networkAccessDenied: "network_access_denied"
        case .unwantedMulticast: "unwanted_multicast"
        case .networkAuthenticationRequired: "authentication_required"
        }
    }
}
