import Foundation
import JSONValues
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// The calls of a session with a real controller of release 1.14.1, in their order, and what it answered.
@Suite struct RecordedRESTTests {
    /// What differs between two values besides the values themselves: keys, and kinds of values. Nil if nothing does.
    static func difference(_ ours: JSONValue, _ theirs: JSONValue, at place: String = "") -> String? {
        switch (ours, theirs) {
        case (.object(let ours), .object(let theirs)):
            let keys = (ours: ours.members.map(\.key), theirs: theirs.members.map(\.key))
            guard keys.ours.sorted() == keys.theirs.sorted() else { return "\(place): \(keys)" }
            return keys.theirs.lazy.compactMap { key in
                difference(ours[key] ?? .null, theirs[key] ?? .null, at: "\(place).\(key)")
            }.first
        case (.array(let ours), .array(let theirs)):
            guard let ours = ours.first, let theirs = theirs.first else {
                // Who has told this node where it is, if anybody has.
                if place.hasSuffix(".surfaceAddresses") { return nil }
                return ours.isEmpty == theirs.isEmpty ? nil : "\(place): one list is empty"
            }
            return difference(ours, theirs, at: "\(place)[]")
        case (.null, .null), (.bool, .bool), (.string, .string), (.integer, .integer): return nil
        // Longer numbers in one session than in the other.
        case (.integer, .unsigned), (.unsigned, .integer): return nil
        default: return "\(place): \(ours.text.prefix(60)) and \(theirs.text.prefix(60))"
        }
    }

    /// A body whose entries the reference drops without a word, and the place that we name.
    private static let corrections: [String: (place: String, body: String)] = [
        "e21de08dc7000042": (
            "remoteTraceTarget",
            """
            {"name":"explicit-id","v4AssignMode":"zt","v6AssignMode":"rfc4193,6plane","mtu":10000,"multicastLimit":64,\
            "routes":[{"target":"10.42.0.0/16"},{"target":"0.0.0.0/0","via":"10.42.0.1"},{"target":"fd00:42::/64"}],\
            "ipAssignmentPools":[{"ipRangeStart":"10.42.0.1","ipRangeEnd":"10.42.0.254"}],\
            "dns":{"domain":"lab.zt","servers":["10.42.0.1","fd00:42::1"]},"authTokens":{"sesame":0,"old":1},\
            "unknownField":1,"rulesSource":"accept;","ssoEnabled":true,"tags":[{"id":5,"default":3},{"id":6}],\
            "capabilities":[{"id":9,"default":true,"rules":[{"type":"ACTION_ACCEPT"}]}]}
            """
        ),
        "1234567890": (
            "ipAssignments[1]",
            """
            {"authorized":true,"name":"prov","tags":[[1,2]],"capabilities":[3,1,3],"ipAssignments":["10.9.8.7","fd00::5/64"],\
            "activeBridge":true,"noAutoAssignIps":true,"ssoExempt":true,"hidden":true}
            """
        ),
    ]

    @Test func `every call has the status, the keys and the types that it had`() async throws {
        let calls = try JSONField(JSONDocument([UInt8](VectorFiles.data("controller_rest.json"))).root)
            .required("calls").elements()
        let local = #"{"settings":{"portMappingEnabled":false,"softwareUpdate":"disable"}}"#
        try await ServiceLab.with(localConfiguration: local) { lab in
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            // What stood there before the session.
            var names = ["e21de08dc71f654a": try await lab.makeNetwork("{}")]
            #expect(try await eventually { try await lab.ask("GET", "/peer").text.contains(#""paths":[{"#) })
            for call in calls { try await replay(call, on: lab, &names) }
            #expect(calls.count > 35)
            await member.shutdown()
        }
    }

    private func replay(_ call: JSONField, on lab: ServiceLab, _ names: inout [String: String]) async throws {
        let request = try call.required("request")
        let (method, path) = (try request.required("method").string(), try request.required("path").string())
        let status: Int = try call.required("status").integer()
        var target = path
        for (theirs, ours) in names { target = target.replacing(theirs, with: ours) }
        target = target.replacing("e21de08dc7", with: lab.address)
        var body: String?
        switch try request.required("body").value {
        case .null: break
        case .string(let text): body = text
        case let value: body = value.text
        }
        let what = "\(method) \(target)"
        if let correction = Self.corrections.first(where: { path.hasSuffix($0.key) && method == "POST" }),
            body?.contains("ipAssignments") == true || body?.contains("routes") == true
        {
            let refused = try await lab.ask(method, target, body)
            #expect(refused.status == 400 && refused["error"] == .integer(400), "\(what): \(refused.text)")
            body = correction.value.body
        }
        let headers = status == 401 ? [] : ["X-ZT1-Auth: \(lab.token)"]
        let reply = try await lab.send(method, target, body, headers: headers)
        // The reference takes no empty body.
        if body == "" {
            #expect(reply.status == 200, "\(what)")
            if case .string(let id)? = reply["id"] { _ = try await lab.ask("DELETE", "/controller/network/\(id)") }
            return
        }
        #expect(reply.status == status, "\(what): \(reply.text)")
        guard try call.required("contentType").value != .null else {
            #expect(reply.body.isEmpty && reply.headers["content-type"] == nil, "\(what): \(reply.text)")
            return
        }
        #expect(reply.headers["content-type"] == "application/json", "\(what)")
        let theirs = try call.required("response").value
        guard let ours = reply.json else {
            Issue.record("\(what): no JSON: \(reply.text)")
            return
        }
        let difference = Self.difference(ours, theirs)
        #expect(difference == nil, "\(what): \(difference ?? "")")
        // IDs that were drawn.
        if case .string(let theirID)? = JSONField(theirs).member("id")?.value, case .string(let ourID)? = reply["id"] {
            names[theirID] = ourID
        }
    }
}
