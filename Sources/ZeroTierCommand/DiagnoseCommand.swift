// zerotier diagnose: why a running node does what it does.

import ArgumentParser
import NetPrimitives
import ZeroTierRules
import ZeroTierWire

struct DiagnoseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose", abstract: "Ask a running node why.", subcommands: [Frame.self])

    struct Frame: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show which rule of a network would let a frame pass or drop it, and why.",
            discussion: """
                The node judges the frame twice with what it knows now: as one that it sends to the member, and as one that comes \
                from there. Nothing is sent and nothing is counted.
                """)

        @Argument(help: "The network: 16 hexadecimal digits.", transform: Parse.networkText)
        var network: String

        @Argument(help: "The other member: ten hexadecimal digits.", transform: Parse.node)
        var member: Address

        @OptionGroup var frame: FrameOptions
        @OptionGroup var home: HomeOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let request = try FrameQuestion(network, member, try frame.frame()).request
            try Output.write(ControlClient.ask(home: home.path(), request + (report.json ? " json" : "")))
        }
    }
}

/// A frame on its way to a running node: words of a request.
struct FrameQuestion {
    /// What is sent of a frame. Zeros at its end are not.
    private static let longest = 1800

    let request: String

    init(_ network: String, _ member: Address, _ frame: GivenFrame) throws(Failure) {
        let end = frame.payload.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        guard end <= FrameQuestion.longest else {
            throw Failure(
                "usage",
                "a running node is asked of frames up to \(FrameQuestion.longest) bytes, zeros at the end not counted; "
                    + "this one has \(end). `zerotier rules test` takes it")
        }
        let digits = Hexadecimal.encode(Array(frame.payload.prefix(end)))
        let words: [String] = [
            "diagnose", network, member.description, frame.source?.description ?? "-",
            frame.destination?.description ?? "-", "\(frame.etherType)", "\(frame.payload.count)",
            digits.isEmpty ? "-" : digits,
        ]
        request = words.joined(separator: " ")
    }
}

extension GivenFrame {
    /// Reads the words of `FrameQuestion` from the MACs on; nil if they are none.
    init?(words: [String]) {
        guard words.count == 5, let etherType = UInt16(words[2]), let length = Int(words[3]),
            let payload = words[4] == "-" ? [] : Hexadecimal.decode(words[4]), length >= payload.count, length <= 65_535
        else { return nil }
        let macs = words[..<2].map { MACAddress(text: $0) }
        guard zip(words, macs).allSatisfy({ $0 == "-" || $1 != nil }) else { return nil }
        self.init(
            source: macs[0], destination: macs[1], etherType: etherType,
            payload: payload + [UInt8](repeating: 0, count: length - payload.count))
    }
}

extension Parse {
    static func networkText(_ text: String) throws -> String {
        guard Hexadecimal.decodeNumber(text, digits: 16) != nil else {
            throw ValidationError("a network ID is 16 hexadecimal digits, such as 8056c2e21c000001")
        }
        return text.lowercased()
    }

    static func node(_ text: String) throws -> Address {
        guard let address = Address(text: text) else {
            throw ValidationError("a node's address is ten hexadecimal digits, such as 1122334455; not \(text)")
        }
        return address
    }
}
