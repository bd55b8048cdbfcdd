// The benchmark program: one measurement per call, its result one JSON object on the last line. `Benchmarks/run` calls the
// measurements alternately, takes medians and prints the table.

import Foundation

@main
enum Bench {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let rest = Array(arguments.dropFirst())
        do {
            switch arguments.first {
            case "ciphers": report(CipherBench.run())
            case "stack": report(StackBench.run())
            case "loop": report(LoopBench.run())
            case "mtu": report(try MTUBench.run(rest.compactMap { Int($0) }))
            case "roofline": report(try RooflineBench.run())
            case "kernel": report(try KernelBench.run())
            case "wan": WideAreaTable.run(rest)
            case "identity": report(IdentityBench.run())
            case "node":
                let parts = rest.dropFirst().compactMap(NodeBench.Part.init(rawValue:))
                report(
                    try await NodeBench.run(
                        seconds: rest.first.flatMap(Double.init) ?? 3,
                        parts: parts.isEmpty ? NodeBench.Part.allCases : parts))
            case "online": report(try await NodeBench.online(times: rest.first.flatMap { Int($0) } ?? 20))
            case "connections": report(try await ScaleBench.connections(rest.first.flatMap { Int($0) } ?? 10_000))
            case "peers": report(try PeersBench.run())
            case "controller": report(try await ControllerBench.run(rest))
            case "relay": report(try await RelayBench.run(seconds: rest.first.flatMap(Double.init) ?? 2))
            case "allocations": report(try AllocationBench.run())
            case "soak": report(try await SoakBench.run(cycles: rest.first.flatMap { Int($0) } ?? 1000))
            case "peer": try await PeerProcess.run(rest)
            case "path": try await PathBench.run(rest)
            default:
                print(
                    """
                    usage: bench ciphers|stack|loop|mtu [MTU]...|roofline|kernel|identity|allocations|peers
                           bench controller [MEMBERS [SECONDS]]
                           bench online [TIMES]|soak [CYCLES]|connections [COUNT]|relay [SECONDS]
                           bench wan [SECONDS [SEEDS]]
                           bench path serve|send PLANET BIND [ADDRESS SECONDS bbr|cubic|reno]
                           bench node [SECONDS [\(NodeBench.Part.allCases.map(\.rawValue).joined(separator: "|"))]...]
                    """)
                exit(2)
            }
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func report(_ values: [String: Double]) {
        let fields = values.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \(($0.value * 1000).rounded() / 1000)" }
        print("{" + fields.joined(separator: ", ") + "}")
    }

    /// Seconds that a body takes.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let duration = try clock.measure(body)
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    /// The smallest time per call over some rounds: what the code costs when nothing disturbs it.
    static func nanoseconds(rounds: Int = 30, calls: Int, _ body: () -> Void) -> Double {
        var best = Double.infinity
        for _ in 0..<rounds {
            let time = seconds { for _ in 0..<calls { body() } }
            best = min(best, time / Double(calls) * 1e9)
        }
        return best
    }

    /// The value at a share of the sorted values.
    static func quantile(_ values: [Double], _ share: Double) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }
}
