import Testing

@testable import ZeroTierService

/// ztncui and others delete a route or a pool by comparing its text with what they sent.
@Suite struct KeptTextTests {
    @Test(
        arguments: [
            ("fd00:0db8:0000:0000:0000:0000:0000:0000/64", "fd00:0db8:0000:0000:0000:0000:0000:0010"),
            ("fd00:db8::/64", "fd00:db8::10"), ("10.9.0.0/24", "10.9.0.10"),
        ])
    func `C6, C7: routes and pools come back as they were sent`(target: String, first: String) async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let body =
                #"{"routes":[{"target":"\#(target)","via":null}],"ipAssignmentPools":[{"ipRangeStart":"\#(first)","ipRangeEnd":"\#(first)"}]}"#
            let reads =
                "routes[].target=\"\(target)\" ipAssignmentPools[].ipRangeStart=\"\(first)\" ipAssignmentPools[].ipRangeEnd=\"\(first)\""
            for reply in [
                try await lab.ask("POST", "/controller/network/\(network)", body),
                try await lab.ask("GET", "/controller/network/\(network)"),
            ] {
                let problem = Reads.problem(reply.json, reads)
                #expect(problem == nil, "\(problem ?? "") in \(reply.text)")
            }
        }
    }
}
